# tests/<folder>/test_*.c, .sh, .py and tests/fuzz/fuzz_*.c become ctest tests "<folder>/<name>".
# The distribution's Python first: it is the one that has the distribution's jinja2 and yaml.
find_program(ICL_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(ICL_PYTHON NAMES python3 REQUIRED)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

set(icl_test_environment
    "ICL_SOURCE=${PROJECT_SOURCE_DIR}"
    "ICL_BUILD=${PROJECT_BINARY_DIR}"
    "ICL_BIN=${PROJECT_BINARY_DIR}/icl"
    "ICL_CC=${CMAKE_C_COMPILER}"
    "ICL_CMAKE=${CMAKE_COMMAND}"
    "ICL_SANITIZE=${ICL_SANITIZE}"
    "UBSAN_OPTIONS=print_stacktrace=1"
    "OPENBLAS_NUM_THREADS=1")

# Common to all tests. The label is the folder: ctest -L '^e2e$'. The time limit is for what hangs: the
# longest takes 150 s under sanitizers, and several times that on a busy machine.
function(icl_test_settings name folder)
    set_tests_properties("${name}" PROPERTIES LABELS "${folder}" TIMEOUT 900
                         ENVIRONMENT "${icl_test_environment}")
    if(folder MATCHES "^(parity|model|e2e)$")
        set_tests_properties("${name}" PROPERTIES COST 100) # the long ones start first
    endif()
endfunction()

add_library(icl_test_settings INTERFACE)
target_include_directories(icl_test_settings INTERFACE "${PROJECT_SOURCE_DIR}/src"
                           "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/tests")
target_link_libraries(icl_test_settings INTERFACE icl_static)
# cmocka hands every test a state, used or not. Linked after icl_flags, whose -Wextra it corrects.
target_compile_options(icl_test_settings INTERFACE -Wno-unused-parameter)

file(GLOB unit_tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/*/test_*.c")
foreach(source IN LISTS unit_tests)
    get_filename_component(name "${source}" NAME_WE)
    get_filename_component(folder "${source}" DIRECTORY)
    get_filename_component(folder "${folder}" NAME)
    add_executable(${name} "${source}")
    set_target_properties(${name} PROPERTIES
                          RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/${folder}")
    target_link_libraries(${name} PRIVATE icl_flags icl_test_settings PkgConfig::CMOCKA)
    if(folder STREQUAL "learn")
        target_link_libraries(${name} PRIVATE icl_llama_headers) # to look at tensors and files as ggml does
    endif()
    add_test(NAME ${folder}/${name} COMMAND ${name}
             WORKING_DIRECTORY "${PROJECT_BINARY_DIR}/tests/${folder}")
    icl_test_settings(${folder}/${name} ${folder})
endforeach()

file(GLOB script_tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/*/test_*.sh"
     "${PROJECT_SOURCE_DIR}/tests/*/test_*.py")
foreach(script IN LISTS script_tests)
    get_filename_component(name "${script}" NAME_WE)
    get_filename_component(folder "${script}" DIRECTORY)
    get_filename_component(folder "${folder}" NAME)
    if(folder STREQUAL "install" AND NOT ICL_SANITIZE STREQUAL "off")
        continue() # a program cannot load a sanitized library
    endif()
    if(script MATCHES "[.]py$")
        set(runner "${ICL_PYTHON}")
    else()
        set(runner bash)
    endif()
    add_test(NAME ${folder}/${name} COMMAND ${runner} "${script}")
    icl_test_settings(${folder}/${name} ${folder})
endforeach()

# A fuzz test is a short run from its seed files; `make fuzz` runs longer.
if(ICL_FUZZ)
    # libFuzzer declares the entry point nowhere.
    add_library(icl_fuzz_settings INTERFACE)
    target_compile_options(icl_fuzz_settings INTERFACE -Wno-missing-prototypes)
    target_link_options(icl_fuzz_settings INTERFACE -fsanitize=fuzzer)
    file(GLOB fuzzers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_*.c")
    foreach(source IN LISTS fuzzers)
        get_filename_component(name "${source}" NAME_WE)
        string(REGEX REPLACE "^fuzz_" "" corpus "${name}")
        add_executable(${name} "${source}")
        set_target_properties(${name} PROPERTIES
                              RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/fuzz")
        target_link_libraries(${name} PRIVATE icl_flags icl_test_settings icl_fuzz_settings)
        set(found "${PROJECT_BINARY_DIR}/tests/fuzz/corpus/${corpus}")
        set(seeds "${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${corpus}")
        file(MAKE_DIRECTORY "${found}")
        if(NOT EXISTS "${seeds}")
            set(seeds "")
        endif()
        add_test(NAME fuzz/${name} COMMAND ${name} -seed=1 -runs=3000 -max_total_time=5
                 -timeout=20 -rss_limit_mb=1024 "${found}" ${seeds})
        icl_test_settings(fuzz/${name} fuzz)
    endforeach()
endif()
