# bench/*.c, each a program of its own. They look below the public headers: a benchmark plays plans and
# reads rows itself. handwritten.c knows llama.h alone and is compiled by prefix_sharing.py.
file(GLOB benches CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/*.c")
list(FILTER benches EXCLUDE REGEX "/handwritten[.]c$")
add_custom_target(benches)
foreach(source IN LISTS benches)
    get_filename_component(name "${source}" NAME_WE)
    add_executable(bench_${name} EXCLUDE_FROM_ALL "${source}")
    set_target_properties(bench_${name} PROPERTIES
                          RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench"
                          OUTPUT_NAME ${name})
    target_include_directories(bench_${name} PRIVATE "${PROJECT_SOURCE_DIR}/src"
                               "${PROJECT_SOURCE_DIR}/include")
    target_link_libraries(bench_${name} PRIVATE icl_flags icl_static)
    add_dependencies(benches bench_${name})
endforeach()
