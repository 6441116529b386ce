# libllama, as icl_llama (to link) and icl_llama_headers (for src/model/ alone).
#   system   an installed one that passes cmake/llama-probe
#   bundled  the pinned static build that scripts/llama.sh keeps in the cache
#   auto     system where it is good enough, else bundled
add_library(icl_llama INTERFACE)
add_library(icl_llama_headers INTERFACE)

# Runs scripts/llama.sh COMMAND for this build.
function(ask_llama_script command out)
    execute_process(COMMAND "${CMAKE_COMMAND}" -E env "ICL_CUDA=${ICL_CUDA}"
                            "CUDA_HOME=${ICL_CUDA_HOME}"
                            "ICL_CUDA_ARCHITECTURES=${ICL_CUDA_ARCHITECTURES}"
                            "${PROJECT_SOURCE_DIR}/scripts/llama.sh" ${command}
                    OUTPUT_VARIABLE answer OUTPUT_STRIP_TRAILING_WHITESPACE
                    RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "scripts/llama.sh ${command} failed; what it said stands above")
    endif()
    set(${out} "${answer}" PARENT_SCOPE)
endfunction()

# The system's libllama may be of any kind; for a card we build our own.
if(ICL_CUDA)
    ask_llama_script(nvcc nvcc)
    get_filename_component(toolkit "${nvcc}/../.." ABSOLUTE)
    # find_package(CUDAToolkit) of CMake 3.25 fails on toolkits since 13, which lack nvToolsExt.
    foreach(library cudart cublas)
        find_library(ICL_${library} ${library} REQUIRED
                     HINTS "${toolkit}/lib64" "${toolkit}/lib"
                           "${toolkit}/targets/${CMAKE_SYSTEM_PROCESSOR}-linux/lib")
    endforeach()
    set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)
    set(ICL_LLAMA bundled)
endif()

set(ICL_LLAMA_KIND "")
if(NOT ICL_LLAMA STREQUAL "bundled")
    find_package(llama CONFIG QUIET)
    if(llama_FOUND)
        enable_language(CXX) # a static libllama says that it is C++
        try_compile(ICL_LLAMA_SYSTEM_WORKS
                    PROJECT llama_probe
                    SOURCE_DIR "${PROJECT_SOURCE_DIR}/cmake/llama-probe"
                    BINARY_DIR "${PROJECT_BINARY_DIR}/llama-probe")
    endif()
    if(llama_FOUND AND ICL_LLAMA_SYSTEM_WORKS)
        set(ICL_LLAMA_KIND system)
        set(ICL_LLAMA_VERSION "${LLAMA_VERSION}")
        target_link_libraries(icl_llama INTERFACE llama ggml::ggml stdc++ m)
        target_include_directories(icl_llama_headers SYSTEM INTERFACE
                                   $<TARGET_PROPERTY:llama,INTERFACE_INCLUDE_DIRECTORIES>)
    elseif(ICL_LLAMA STREQUAL "system")
        message(FATAL_ERROR "ICL_LLAMA=system, but no installed libllama passes cmake/llama-probe")
    endif()
endif()

if(NOT ICL_LLAMA_KIND)
    ask_llama_script(prefix llama_prefix)
    if(NOT EXISTS "${llama_prefix}/icl-complete")
        message(FATAL_ERROR "llama.cpp is not built yet; run `make` or scripts/llama.sh build "
                            "(both with ICL_CUDA=ON for a card)")
    endif()
    set(ICL_LLAMA_KIND bundled)
    file(STRINGS "${llama_prefix}/lib/cmake/llama/llama-config.cmake" line
         REGEX "^set\\(LLAMA_VERSION ")
    string(REGEX REPLACE "set\\(LLAMA_VERSION +(.*)\\)" "\\1" ICL_LLAMA_VERSION "${line}")
    # As targets that name what they need, CMake puts each archive before what it needs.
    function(import_archive name)
        add_library(llama::${name} STATIC IMPORTED GLOBAL)
        set_target_properties(llama::${name} PROPERTIES
                              IMPORTED_LOCATION "${llama_prefix}/lib/lib${name}.a"
                              INTERFACE_LINK_LIBRARIES "${ARGN}")
    endfunction()
    import_archive(ggml-base stdc++ m ${CMAKE_DL_LIBS} Threads::Threads)
    import_archive(ggml-cpu llama::ggml-base)
    import_archive(ggml-blas llama::ggml-base PkgConfig::ICL_SYSTEM)
    set(card "")
    if(ICL_CUDA)
        import_archive(ggml-cuda llama::ggml-base "${ICL_cublas}" "${ICL_cudart}")
        set(card llama::ggml-cuda)
    endif()
    import_archive(ggml ${card} llama::ggml-blas llama::ggml-cpu llama::ggml-base)
    import_archive(llama llama::ggml)
    target_link_libraries(icl_llama INTERFACE llama::llama)
    target_include_directories(icl_llama_headers SYSTEM INTERFACE "${llama_prefix}/include")
    if(EXISTS "${llama_prefix}/include/ggml-internal")
        target_include_directories(icl_llama_headers SYSTEM INTERFACE
                                   "${llama_prefix}/include/ggml-internal")
        target_compile_definitions(icl_llama_headers INTERFACE ICL_HAVE_GGML_INTERNAL)
    endif()
endif()
target_compile_definitions(icl_llama_headers INTERFACE
                           ICL_LLAMA_BUILD="${ICL_LLAMA_KIND} ${ICL_LLAMA_VERSION}")
message(STATUS "libllama: ${ICL_LLAMA_KIND} ${ICL_LLAMA_VERSION}")
