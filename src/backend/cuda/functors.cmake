# Sets in `functors` those of the sources whose loops a device runs: every layer, and who else
# hands functors to parallel.h.
function(find_functors functors)
  set(found)
  foreach(source ${ARGN})
    file(STRINGS ${source} lines REGEX
      "OREPA_HD|parallel_(for|rows|teams)|reduce_(all|rows|columns)|contract_rows")
    if(NOT source MATCHES "/src/backend/cpu/" AND (lines OR source MATCHES "/src/layers/"))
      list(APPEND found ${source})
    endif()
  endforeach()
  set(${functors} ${found} PARENT_SCOPE)
endfunction()
