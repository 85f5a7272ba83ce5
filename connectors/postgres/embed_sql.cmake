# cmake -DOUTPUT=<file.cpp> "-DINPUTS=<a.sql>;<b.sql>" -P embed_sql.cmake
# Writes the migrations as one table of string literals. A file's number is what its name starts with.
set(rows "")
foreach(input ${INPUTS})
  get_filename_component(name ${input} NAME_WE)
  string(REGEX MATCH "^[0-9]+" number ${name})
  string(REGEX REPLACE "^0+" "" number ${number})
  file(READ ${input} text)
  string(APPEND rows "    {${number}, \"${name}\", R\"sql(${text})sql\"},\n")
endforeach()
file(WRITE ${OUTPUT}
"#include \"connectors/postgres/migrations.hpp\"

namespace headwater::postgres {

std::span<const Migration> migrations() {
  static constexpr Migration kMigrations[] = {
${rows}  };
  return kMigrations;
}

}  // namespace headwater::postgres
")
