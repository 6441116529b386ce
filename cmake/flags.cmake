# Compiler settings of our own code, as the interface target icl_flags.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_library(icl_flags INTERFACE)
target_compile_definitions(icl_flags INTERFACE
    _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE
    ICL_VERSION="${PROJECT_VERSION}"
    # Where models/ and tasks/ are: installed, and beside the sources for a program not installed.
    ICL_DATA_DIR="${CMAKE_INSTALL_FULL_DATADIR}/icl"
    ICL_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
# Compilers differ in where they fuse a multiply and an add; without it a number has the same bits in
# every folder and on both. Nobody asks errno about a square root, and without that roots are vectors.
target_compile_options(icl_flags INTERFACE -ffp-contract=off -fno-math-errno
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Werror)

if(NOT ICL_SANITIZE STREQUAL "off")
    string(REPLACE ";" "," sanitizers "${ICL_SANITIZE}")
    target_compile_options(icl_flags INTERFACE -fsanitize=${sanitizers} -fno-sanitize-recover=all
                           -fno-omit-frame-pointer)
    # The static library passes this on to the tests, whatever language links them.
    add_link_options(-fsanitize=${sanitizers})
endif()
if(ICL_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "ICL_FUZZ needs clang; use the preset \"fuzz\" or \"asan\"")
    endif()
    target_compile_options(icl_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(ICL_COVERAGE)
    target_compile_options(icl_flags INTERFACE --coverage)
    add_link_options(--coverage)
endif()

# What this CPU can do; "" for a build that must run elsewhere.
execute_process(COMMAND "${PROJECT_SOURCE_DIR}/scripts/cpu.sh" flags
                OUTPUT_VARIABLE cpu_flags OUTPUT_STRIP_TRAILING_WHITESPACE)
separate_arguments(ICL_CPU_FLAGS UNIX_COMMAND "${cpu_flags}")
