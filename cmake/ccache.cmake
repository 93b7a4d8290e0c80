# Compiles through ccache where it is installed; precompiled headers need the two sloppiness flags.
find_program(GANTRY_CCACHE ccache)
if(GANTRY_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros ${GANTRY_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${GANTRY_CCACHE})
endif()
