include(GoogleTest)

# How much the compiler tries where what runs stands in libraries, or takes no time: the cases of tests, and programs
# that are little more than CLI11's large header.
set(headwater_little_effort $<$<CONFIG:Release>:-O1>)

# headwater_room(<name> SOURCES <files> [PUBLIC <libs>] [PRIVATE <libs>])
# A room is a static library headwater_<name>. Client libraries go under PRIVATE: no other room sees
# their headers.
function(headwater_room name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(headwater_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(headwater_${name} PUBLIC headwater_flags ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  headwater_precompile(headwater_${name} room)
endfunction()

# headwater_test(<name> SOURCES <files> LIBS <libs> [LABELS <labels>] [TIMEOUT <s>])
# One GoogleTest program; CTest sees each of its cases. The cases themselves are compiled with less
# effort than what they test: a third of the time, and half of it under a sanitizer.
function(headwater_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE headwater_flags ${ARG_LIBS} GTest::gtest_main GTest::gmock)
  target_compile_definitions(${name} PRIVATE
    HEADWATER_SOURCE_DIR="${PROJECT_SOURCE_DIR}" HEADWATER_BINARY_DIR="${PROJECT_BINARY_DIR}")
  set(effort ${headwater_little_effort} $<$<CONFIG:RelWithDebInfo>:-O0>)
  target_compile_options(${name} PRIVATE ${effort})
  headwater_precompile(${name} test ${effort})
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
endfunction()

# headwater_tool(<name> <source> <libs>...)
# A program with options of the command line, in bin/. What it does stands in libraries, or takes no time; reading
# options is a large header, compiled with less effort.
function(headwater_tool name source)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE headwater_flags ${ARGN} CLI11::CLI11)
  target_compile_options(${name} PRIVATE ${headwater_little_effort})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()
