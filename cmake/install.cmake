# make install: library, headers, program, pkg-config and CMake packages, models, tasks, manual.
include(CMakePackageConfigHelpers)
set(icl_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/icl")

install(TARGETS icl_shared EXPORT icl LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
if(TARGET icl_cli)
    install(TARGETS icl_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/icl" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.h")
install(EXPORT icl NAMESPACE icl:: FILE icl-targets.cmake DESTINATION "${icl_cmake_dir}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/icl-config.cmake.in"
                              "${PROJECT_BINARY_DIR}/icl-config.cmake"
                              INSTALL_DESTINATION "${icl_cmake_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/icl-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/icl-config.cmake"
              "${PROJECT_BINARY_DIR}/icl-config-version.cmake"
        DESTINATION "${icl_cmake_dir}")
# The prefix as seen from lib/pkgconfig, so that an installed tree may be moved.
file(RELATIVE_PATH ICL_PC_UP "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
configure_file("${PROJECT_SOURCE_DIR}/cmake/icl.pc.in" "${PROJECT_BINARY_DIR}/icl.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/icl.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/models" DESTINATION "${CMAKE_INSTALL_DATADIR}/icl"
        FILES_MATCHING PATTERN "*.md" PATTERN "*.gguf")
# The sentence encoder where set-up has made it.
install(CODE "
    execute_process(COMMAND \"${PROJECT_SOURCE_DIR}/scripts/encoder.sh\" path
                    OUTPUT_VARIABLE encoder OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(EXISTS \"\${encoder}\")
        file(INSTALL \"\${encoder}\" RENAME all-MiniLM-L6-v2.gguf
             DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/icl/models\")
    endif()")
foreach(folder tasks recipes)
    install(DIRECTORY "${PROJECT_SOURCE_DIR}/${folder}" DESTINATION "${CMAKE_INSTALL_DATADIR}/icl")
endforeach()

# Manual pages are written in scdoc; without it they are left out.
file(GLOB icl_manuals CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/man/*.scd")
find_program(SCDOC scdoc)
if(icl_manuals AND SCDOC)
    set(pages "")
    foreach(manual IN LISTS icl_manuals)
        get_filename_component(page "${manual}" NAME_WLE)
        string(REGEX REPLACE ".*[.]" "" section "${page}")
        add_custom_command(OUTPUT "${PROJECT_BINARY_DIR}/man/${page}"
                           COMMAND "${CMAKE_COMMAND}" -E make_directory "${PROJECT_BINARY_DIR}/man"
                           COMMAND "${SCDOC}" < "${manual}" > "${PROJECT_BINARY_DIR}/man/${page}"
                           DEPENDS "${manual}" VERBATIM)
        list(APPEND pages "${PROJECT_BINARY_DIR}/man/${page}")
        install(FILES "${PROJECT_BINARY_DIR}/man/${page}"
                DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}")
    endforeach()
    add_custom_target(icl_man ALL DEPENDS ${pages})
endif()

foreach(pair "icl.bash:bash-completion/completions:icl" "_icl:zsh/site-functions:_icl"
             "icl.fish:fish/vendor_completions.d:icl.fish")
    string(REPLACE ":" ";" pair "${pair}")
    list(GET pair 0 file)
    list(GET pair 1 folder)
    list(GET pair 2 name)
    if(EXISTS "${PROJECT_SOURCE_DIR}/completions/${file}")
        install(FILES "${PROJECT_SOURCE_DIR}/completions/${file}" RENAME "${name}"
                DESTINATION "${CMAKE_INSTALL_DATADIR}/${folder}")
    endif()
endforeach()
