# Writes a C file that holds other files as texts, each ended by a 0 byte and named for its file: report.js becomes
# dt_embedded_report_js. CMakeLists.txt calls it at build time:
#     cmake -D OUT=FILE.c -D HEADER=FILE.h -D "FILES=A;B" -P tools/embed.cmake
set(code "/* Made by tools/embed.cmake. */\n#include \"${HEADER}\"\n")
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  string(MAKE_C_IDENTIFIER ${name} name)
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
  string(APPEND code "\nconst char dt_embedded_${name}[] = {\n${bytes}0};\n")
endforeach()
file(WRITE ${OUT} "${code}")
