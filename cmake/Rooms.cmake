include(GoogleTest)

# The standard headers every room uses, compiled once and reused by all of them.
add_library(holdfast_pch OBJECT "${CMAKE_SOURCE_DIR}/cmake/pch.cc")
target_precompile_headers(holdfast_pch PRIVATE
  <algorithm> <atomic> <chrono> <condition_variable> <cstdint> <functional> <map> <memory> <mutex> <optional>
  <set> <span> <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector>)

add_library(holdfast_test_pch OBJECT "${CMAKE_SOURCE_DIR}/cmake/pch.cc")
target_link_libraries(holdfast_test_pch PRIVATE GTest::gmock)
target_precompile_headers(holdfast_test_pch PRIVATE
  <algorithm> <chrono> <functional> <map> <memory> <optional> <span> <string> <string_view> <thread> <vector>
  <gtest/gtest.h> <gmock/gmock.h>)

# Of programs with the thread sanitizer only (Compiler.cmake).
add_library(tsan_clocklock OBJECT EXCLUDE_FROM_ALL "${CMAKE_SOURCE_DIR}/cmake/tsan_clocklock.cc")

# holdfast_room(NAME SOURCES ... [LINKS ...] [PUBLIC_LINKS ...])
# One room = one static library. Links are PRIVATE, so that a room sees only what it names itself; PUBLIC_LINKS is
# for a library whose types stand in the room's own headers.
function(holdfast_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LINKS;PUBLIC_LINKS" ${ARGN})
  add_library(${name} STATIC ${ROOM_SOURCES})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PUBLIC ${ROOM_PUBLIC_LINKS} PRIVATE ${ROOM_LINKS} Threads::Threads)
  target_precompile_headers(${name} REUSE_FROM holdfast_pch)
endfunction()

# holdfast_program(NAME SOURCES ... LINKS ...): an executable in build/<preset>/bin.
function(holdfast_program name)
  cmake_parse_arguments(PROGRAM "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${PROGRAM_SOURCES} ${HOLDFAST_PROGRAM_OBJECTS})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${PROGRAM_LINKS} Threads::Threads)
endfunction()

# holdfast_test(NAME SOURCES ... LINKS ... [TIMEOUT seconds] [TOGETHER patterns...] [PROPERTIES ...])
# A GoogleTest program; every case is a ctest entry of its own, save that those of each pattern are one: they share what
# takes long to start.
function(holdfast_test name)
  cmake_parse_arguments(TEST "" "TIMEOUT" "SOURCES;LINKS;TOGETHER;PROPERTIES" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 120)
  endif()
  add_executable(${name} ${TEST_SOURCES} ${HOLDFAST_PROGRAM_OBJECTS})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${TEST_LINKS} GTest::gmock GTest::gtest_main Threads::Threads)
  target_precompile_headers(${name} REUSE_FROM holdfast_test_pch)
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  set(filter "*")
  foreach(together IN LISTS TEST_TOGETHER)
    add_test(NAME "${name}.${together}" COMMAND ${name} "--gtest_filter=${together}")
    set_tests_properties("${name}.${together}" PROPERTIES TIMEOUT 600 ${TEST_PROPERTIES})
  endforeach()
  if(TEST_TOGETHER)
    list(JOIN TEST_TOGETHER ":" together)
    set(filter "-${together}")
  endif()
  gtest_discover_tests(${name} TEST_FILTER "${filter}" DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                       PROPERTIES TIMEOUT ${TEST_TIMEOUT} ${TEST_PROPERTIES})
  # Read by scripts/sanitize.sh, which so misses no suite.
  set_property(GLOBAL APPEND PROPERTY HOLDFAST_SUITES ${name})
endfunction()
