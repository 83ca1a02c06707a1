# Language level, warnings, hardening, sanitizers and build speed, the same for every room.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(HOLDFAST_SANITIZER "" CACHE STRING "Value of -fsanitize=, empty for none")

add_compile_options(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast
                    -Woverloaded-virtual -Wimplicit-fallthrough)
# g++ decides what a warning is; clang builds only the fuzz targets.
add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Werror> $<$<CXX_COMPILER_ID:Clang>:-Wno-everything>)
# g++ 12 takes a copied std::optional for uninitialized (GCC bug 80635) where it optimises.
if(CMAKE_BUILD_TYPE STREQUAL "Release" OR HOLDFAST_SANITIZER)
  add_compile_options(-Wno-maybe-uninitialized)
endif()
add_compile_options(-fstack-protector-strong -fPIE)
add_compile_definitions($<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
add_link_options(-pie -Wl,-z,relro,-z,now)

if(HOLDFAST_SANITIZER)
  # The checks between the parts of a short string's move let g++ 12 see offsets that cannot be.
  add_compile_options(-Wno-array-bounds -Wno-stringop-overread -Wno-stringop-overflow)
  add_compile_options(-fsanitize=${HOLDFAST_SANITIZER} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1)
  add_link_options(-fsanitize=${HOLDFAST_SANITIZER})
  # Asio has a fence around every completion, which the thread sanitizer does not follow; it follows Asio's mutexes.
  if(HOLDFAST_SANITIZER STREQUAL "thread")
    add_compile_options(-Wno-tsan)
    set(HOLDFAST_PROGRAM_OBJECTS $<TARGET_OBJECTS:tsan_clocklock>)
  endif()
endif()

find_program(HOLDFAST_CCACHE ccache)
if(HOLDFAST_CCACHE)
  # Without these, ccache refuses precompiled headers and never hits across checkouts.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${HOLDFAST_CCACHE})
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endif()

find_program(HOLDFAST_MOLD mold)
if(HOLDFAST_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
