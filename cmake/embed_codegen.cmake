# Writes the .cpp that holds the folder codegen/ as text; run by the build (cmake -P).
#   ROOT    the repository's root
#   OUTPUT  the file to write
file(GLOB_RECURSE files RELATIVE ${ROOT} ${ROOT}/codegen/*.cuh ${ROOT}/codegen/*.hpp)
list(SORT files)
set(text "// Made from codegen/ by cmake/embed_codegen.cmake.\n#include \"g4/jit/headers.hpp\"\n\n")
string(APPEND text "const g4::jit::header_map& g4::jit::embedded_headers() {\n")
string(APPEND text "    static const header_map headers{\n")
foreach(file ${files})
  file(READ ${ROOT}/${file} content)
  string(APPEND text "{\"${file}\", R\"g4_text(${content})g4_text\"},\n")
endforeach()
string(APPEND text "    };\n    return headers;\n}\n")
file(WRITE ${OUTPUT} "${text}")
