# Writes rig_build.h: what a binary was built from and how. Run before every build, because the commit is
# known only then:
#   cmake -DOUT=<file.h> -DSOURCE=<dir> -DVERSION=<x.y.z> -DCOMPILER=<text> -DFLAGS=<text> -P build_header.cmake
# The file is touched only when its content changes, so that an unchanged commit recompiles nothing.
cmake_minimum_required(VERSION 3.25)

set(commit "unknown")
find_program(GIT git)
if(GIT)
    # a checkout owned by someone else, or none at all, is not an error: the commit is then unknown
    execute_process(COMMAND "${GIT}" -C "${SOURCE}" rev-parse --short=12 HEAD
        OUTPUT_VARIABLE head OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed ERROR_QUIET)
    if(NOT failed)
        set(commit "${head}")
        execute_process(COMMAND "${GIT}" -C "${SOURCE}" status --porcelain --untracked-files=no
            OUTPUT_VARIABLE changes ERROR_QUIET)
        if(changes)
            string(APPEND commit "+changes")
        endif()
    endif()
endif()

string(STRIP "${FLAGS}" FLAGS)
string(REGEX REPLACE " +" " " FLAGS "${FLAGS}")
string(REGEX REPLACE "([\\\\\"])" "\\\\\\1" FLAGS "${FLAGS}")
set(text "/* Made by core/cmake/build_header.cmake. */
#ifndef RIG_BUILD_H
#define RIG_BUILD_H

#define RIG_VERSION \"${VERSION}\"
#define RIG_COMMIT \"${commit}\"
#define RIG_COMPILER \"${COMPILER}\"
#define RIG_FLAGS \"${FLAGS}\"
#define RIG_BUILD RIG_COMPILER \", \" RIG_FLAGS

#endif
")
set(old "")
if(EXISTS "${OUT}")
    file(READ "${OUT}" old)
endif()
if(NOT old STREQUAL text)
    file(WRITE "${OUT}" "${text}")
endif()
