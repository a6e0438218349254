import { commentLine } from '../../core/quote.ts';
import type { Profile } from '../../target/profile.ts';
import type { OwnFlags } from './make.ts';
import { flagsOf, productsOf, type Sources } from './toolchain.ts';

/** The CMakeLists.txt of a bundle whose model is made of `sources`: to build alone, as a part of another project, and to install. */
export function cmake(prefix: string, profile: Profile, { sources, shared: besideSources }: Sources, own: OwnFlags): string {
  const { addon, shared } = productsOf(profile.toolchain.system);
  // A model may be called what CMake keeps for itself, such as test.
  const name = `${prefix}_model`;
  const pooled = profile.threads > 1;
  const options = `PRIVATE ${flagsOf(profile).join(' ')}`;
  const parts = [
    `# ${commentLine(profile.doc)}
# In a project: add_subdirectory(FOLDER), or after cmake --install find_package(${prefix}); then
# target_link_libraries(APPLICATION ${prefix}::model) and #include <${prefix}/model.h>.
cmake_minimum_required(VERSION 3.14)
project(${prefix} C${sources.some(s => s.endsWith('.S')) ? ' ASM' : ''})
include(GNUInstallDirs)
set(HEADERS model.h${pooled ? ' pool.h' : ''})
set(SOURCES ${sources.join(' ')})
${Object.entries(own)
  .map(([source, more]) => `set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${more.join(';')}")\n`)
  .join('')}`,
    `# Static or shared, as BUILD_SHARED_LIBS says. The weights are inside. Its headers lie in a folder of the model's name.
add_library(${name} \${SOURCES})
add_library(${prefix}::model ALIAS ${name})
set_target_properties(${name} PROPERTIES EXPORT_NAME model POSITION_INDEPENDENT_CODE ON WINDOWS_EXPORT_ALL_SYMBOLS ON)
if(NOT MSVC)
  target_compile_options(${name} ${options})
  target_link_options(${name} ${options})
  target_link_libraries(${name} PUBLIC m${pooled ? ' -pthread' : ''})
endif()
foreach(header \${HEADERS})
  configure_file(\${header} include/${prefix}/\${header} COPYONLY)
endforeach()
target_include_directories(${name} PRIVATE \${CMAKE_CURRENT_SOURCE_DIR}
  PUBLIC $<BUILD_INTERFACE:\${CMAKE_CURRENT_BINARY_DIR}/include> $<INSTALL_INTERFACE:\${CMAKE_INSTALL_INCLUDEDIR}>)
`,
    `install(TARGETS ${name} EXPORT ${prefix})
install(FILES \${HEADERS} DESTINATION \${CMAKE_INSTALL_INCLUDEDIR}/${prefix})
install(EXPORT ${prefix} FILE ${prefix}Config.cmake NAMESPACE ${prefix}:: DESTINATION \${CMAKE_INSTALL_LIBDIR}/cmake/${prefix})
`,
    `if(CMAKE_CURRENT_SOURCE_DIR STREQUAL CMAKE_SOURCE_DIR)
  # A program that runs the model on .npy files.
  add_executable(${prefix}_main${shared ? '' : ' EXCLUDE_FROM_ALL'} main.c)
  target_link_libraries(${prefix}_main ${name})
endif()
`,
    ...(addon
      ? [
          `# What index.js loads: cmake --build . --target ${prefix}_node
add_library(${prefix}_node MODULE EXCLUDE_FROM_ALL node.c ${besideSources?.join(' ') ?? '${SOURCES}'})
target_compile_options(${prefix}_node ${options})
target_compile_definitions(${prefix}_node PRIVATE MODEL_INSIDE)
target_link_options(${prefix}_node ${[options, ...addon.flags.filter(f => f !== '-shared' && f !== '-bundle')].join(' ')})
target_include_directories(${prefix}_node PRIVATE \${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(${prefix}_node m \${CMAKE_DL_LIBS})
set_target_properties(${prefix}_node PROPERTIES PREFIX "" OUTPUT_NAME model SUFFIX .node LIBRARY_OUTPUT_DIRECTORY \${CMAKE_CURRENT_SOURCE_DIR})
`,
        ]
      : []),
  ];
  return parts.join('\n');
}
