# System libraries, as icl_libraries (the library) and icl_cli_libraries (the program).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
set(modules openblas lapacke jansson libfyaml sqlite3 libxxhash libutf8proc zlib libzstd)
pkg_check_modules(ICL_SYSTEM REQUIRED IMPORTED_TARGET ${modules})
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)

add_library(icl_libraries INTERFACE)
target_link_libraries(icl_libraries INTERFACE PkgConfig::ICL_SYSTEM Threads::Threads m)
add_library(icl_cli_libraries INTERFACE)
target_link_libraries(icl_cli_libraries INTERFACE PkgConfig::JANSSON Threads::Threads m)
