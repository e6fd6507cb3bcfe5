# Turns Lua files into one C file with the table that core/bind/embed.h declares. Run at build time:
#   cmake -DOUT=<file.c> -DLIST=<file> [-DCODE=<folder>] -P embed.cmake
# LIST holds one line per module, "name|chunk name|path"; CODE has what precompile.c made of them, if it could run. Nothing
# but CMake is needed here, so that a build needs neither xxd nor python.
cmake_minimum_required(VERSION 3.25)

# array(NAME PATH): a C array of the file's bytes at the end of `arrays`, and in NAME_row what the table says of it.
function(array name path)
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
    set(arrays "${arrays}static const unsigned char ${name}[] = {\n${hex}};\n\n" PARENT_SCOPE)
    set(${name}_row "${name}, ${size}" PARENT_SCOPE)
endfunction()

file(STRINGS "${LIST}" rows)
set(arrays "")
set(table "")
set(count 0)
foreach(row IN LISTS rows)
    string(REPLACE "|" ";" row "${row}")
    list(GET row 0 name)
    list(GET row 1 chunk)
    list(GET row 2 path)
    array(text_${count} "${path}")
    set(code_${count}_row "NULL, 0")
    if(CODE)
        array(code_${count} "${CODE}/${name}.luac")
    endif()
    string(APPEND table "    {\"${name}\", \"${chunk}\", ${text_${count}_row}, ${code_${count}_row}},\n")
    math(EXPR count "${count} + 1")
endforeach()

file(WRITE "${OUT}" "/* Made by core/cmake/embed.cmake from the Lua sources; edit those. */
#include \"bind/embed.h\"

${arrays}const struct rig_embedded rig_embedded[] = {
${table}};
const size_t rig_embedded_count = ${count};
")
