std = "lua54"
max_line_length = 120
codes = true
-- broken on purpose
exclude_files = { "tests/broken", "build*" }

-- luaunit finds test cases by their global names
files["tests"] = { allow_defined_top = true, ignore = { "131" } }
-- what the driver gives its programs
files["tests/inject"] = { read_globals = { "violated", "hits_another" } }
-- what scripts could reach is taken away from Lua's own tables
files["tests/fuzz"] = { ignore = { "121", "122" } }
