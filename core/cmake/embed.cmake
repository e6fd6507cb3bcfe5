# Turns Lua files into one C file with the table that core/bind/embed.h declares. Run at build time:
#   cmake -DOUT=<file.c> -DLIST=<file> -P embed.cmake
# LIST holds one line per module, "name|chunk name|path". Nothing but CMake is needed, so that a build
# needs neither xxd nor python. Not for anything but text that Lua loads: each file ends up as one array.
cmake_minimum_required(VERSION 3.25)

file(STRINGS "${LIST}" rows)
set(arrays "")
set(table "")
set(count 0)
foreach(row IN LISTS rows)
    string(REPLACE "|" ";" row "${row}")
    list(GET row 0 name)
    list(GET row 1 chunk)
    list(GET row 2 path)
    file(READ "${path}" hex HEX)
    string(LENGTH "${hex}" digits)
    math(EXPR size "${digits} / 2")
    # 32 bytes a line: compilers slow down on lines of megabytes
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
    string(REPEAT "0x[0-9a-f][0-9a-f]," 32 line)
    string(REGEX REPLACE "(${line})" "\\1\n" hex "${hex}")
    if(size EQUAL 0)
        set(hex "0")
    endif()
    string(APPEND arrays "static const unsigned char text_${count}[] = {\n${hex}};\n\n")
    string(APPEND table "    {\"${name}\", \"${chunk}\", text_${count}, ${size}},\n")
    math(EXPR count "${count} + 1")
endforeach()

file(WRITE "${OUT}" "/* Made by core/cmake/embed.cmake from the Lua sources; edit those. */
#include \"bind/embed.h\"

${arrays}const struct rig_embedded rig_embedded[] = {
${table}};
const size_t rig_embedded_count = ${count};
")
