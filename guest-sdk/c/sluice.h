// Write Sluice plugins in C.
//
// A plugin is a pure function of its configuration, a table's schema and one row image. The host calls it for the images
// before and after a change and derives insert, update, delete and move from the answers. So an answer must never depend
// on other rows, earlier calls, the place of a row in its batch, the time or the instance.
//
// A plugin defines one `const sluice_plugin sluice_export` and is built together with sluice.c, sluice_json.c,
// sluice_abi.c and bindings/transformer.c; README.md has the command. Everything that a function hands out lives until
// the call ends, except the plugin's own state.
#ifndef SLUICE_H
#define SLUICE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Bytes or text; not ended by a zero.
typedef struct sluice_bytes {
  const char *ptr;
  size_t len;
} sluice_bytes;

// Text that is ended by a zero, without it.
sluice_bytes sluice_text(const char *text);
bool sluice_equal(sluice_bytes a, sluice_bytes b);

// Why something cannot be done. The code is a constant of the plugin, [a-z0-9-]{1,64}: it goes to logs and metrics, so
// never a value. The detail is for a person and may name values.
typedef struct sluice_failure {
  char code[65];
  char detail[512];
} sluice_failure;

// Fills a failure and gives false, so that a function can end with it. What does not fit a code is made to fit.
bool sluice_fail(sluice_failure *failure, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Logical types, numbered as the interface does; wit/transform.wit says which types of MySQL arrive as which.
typedef enum sluice_kind {
  SLUICE_BOOLEAN,
  SLUICE_INT8,
  SLUICE_INT16,
  SLUICE_INT32,
  SLUICE_INT64,
  SLUICE_UINT8,
  SLUICE_UINT16,
  SLUICE_UINT32,
  SLUICE_UINT64,
  SLUICE_FLOAT32,
  SLUICE_FLOAT64,
  SLUICE_DECIMAL,
  SLUICE_DATE,
  SLUICE_TIME_MICROS,
  SLUICE_TIMESTAMP_MICROS_UTC,
  SLUICE_TIMESTAMP_MICROS_LOCAL,
  SLUICE_UTF8,
  SLUICE_BINARY,
  SLUICE_JSON,
} sluice_kind;

typedef struct sluice_type {
  uint8_t kind;
  // Those of a decimal, otherwise 0.
  uint8_t precision, scale;
} sluice_type;

#define SLUICE_TYPE(kind) ((sluice_type){(kind), 0, 0})
// Bytes of a value; 0 for booleans and for the types with offsets.
size_t sluice_type_width(sluice_type type);
bool sluice_type_equal(sluice_type a, sluice_type b);
// "int32", "decimal(10,2)"; into a buffer of 32 bytes.
const char *sluice_type_name(sluice_type type, char *name);

// ---- configuration

typedef enum sluice_json_kind {
  SLUICE_JSON_NULL,
  SLUICE_JSON_BOOL,
  SLUICE_JSON_NUMBER,
  SLUICE_JSON_TEXT,
  SLUICE_JSON_LIST,
  SLUICE_JSON_OBJECT,
} sluice_json_kind;

// A value of a configuration. It lives as long as the instance.
typedef struct sluice_json {
  sluice_json_kind kind;
  bool boolean;
  double number;
  // A text's value, or a number as it was written.
  sluice_bytes text;
  // Of a list or an object.
  struct sluice_json *items;
  // Of an object: the keys of the items.
  sluice_bytes *keys;
  size_t count;
} sluice_json;

// A member of an object; NULL where there is none, or `value` is none.
const sluice_json *sluice_json_get(const sluice_json *value, const char *key);
// Reads JSON; NULL where it is none. For the SDK and for tests.
const sluice_json *sluice_json_parse(sluice_bytes text);

// All mistakes of a configuration at once, so that they are mended in one go.
typedef struct sluice_problems sluice_problems;
// One more mistake, by JSON Pointer ("/columns/2", "" for all of it).
void sluice_problem(sluice_problems *problems, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

typedef struct sluice_attachment {
  sluice_bytes name, data;
} sluice_attachment;

// What the operator allows; for sizing buffers, never for answers.
typedef struct sluice_limits {
  uint64_t memory_bytes;
  uint32_t rows_max;
  uint64_t output_bytes_max;
} sluice_limits;

typedef struct sluice_setup {
  const sluice_json *config;
  // The files of the manifest; they live as long as the instance.
  const sluice_attachment *attachments;
  size_t attachment_count;
  sluice_limits limits;
} sluice_setup;

// ---- tables

typedef struct sluice_pair {
  sluice_bytes key, value;
} sluice_pair;

typedef struct sluice_field {
  sluice_bytes name;
  sluice_type type;
  bool nullable;
  // Empty for a column that an earlier plugin made.
  sluice_bytes source_type;
  const sluice_pair *properties;
  size_t property_count;
} sluice_field;

// Indexes into fields; `known` false: not known here.
typedef struct sluice_key {
  bool known;
  const uint32_t *fields;
  size_t count;
} sluice_key;

typedef struct sluice_table {
  sluice_bytes database, table;
  const sluice_field *fields;
  size_t field_count;
  sluice_key primary_key;
  sluice_key id_columns;
  const sluice_pair *route;
  size_t route_count;
  const sluice_pair *properties;
  size_t property_count;
} sluice_table;

// A field's index by exact name; -1 where there is none.
int sluice_table_find(const sluice_table *table, const char *name);
// The same, where a missing column is a mistake of the configuration: it fails with `unknown-column`.
int sluice_table_field(const sluice_table *table, const char *name, sluice_failure *failure);

// ---- plans. Steps that change a column name it as it comes IN; order and id_columns name columns as they go OUT.
// Mistakes are collected and reported together. A plan without reads and computed columns costs nothing a row.

typedef struct sluice_plan sluice_plan;
// The table is not replicated; later plugins are not asked.
void sluice_plan_exclude(sluice_plan *plan);
// This plugin leaves the table alone.
void sluice_plan_pass(sluice_plan *plan);
void sluice_plan_rename(sluice_plan *plan, const char *from, const char *to);
void sluice_plan_drop(sluice_plan *plan, const char *name);
// The next column of the output's order; columns that are not named follow as they were.
void sluice_plan_order(sluice_plan *plan, const char *name);
// The host converts a column; a value that does not fit rejects its row with the code `cast`.
void sluice_plan_cast(sluice_plan *plan, const char *name, sluice_type to);
// A new column that process makes. The edit gives computed columns in the order of computed and replace.
void sluice_plan_computed(sluice_plan *plan, const char *name, sluice_type type, bool nullable);
// A column that process makes in the place and under the name of an input column.
void sluice_plan_replace(sluice_plan *plan, const char *name, sluice_type type, bool nullable);
// The same value in every row, in the text form of docs/reference/text-values.md; NULL is NULL.
void sluice_plan_constant(sluice_plan *plan, const char *name, sluice_type type, const char *text);
void sluice_plan_replace_constant(sluice_plan *plan, const char *name, sluice_type type, const char *text);
// A fact about the change, such as "op".
void sluice_plan_metadata(sluice_plan *plan, const char *fact, const char *name);
// The next id column, by its name in the output.
void sluice_plan_id_column(sluice_plan *plan, const char *name);
void sluice_plan_route(sluice_plan *plan, const char *variable, const char *value);
// process may set this variable row by row.
void sluice_plan_row_route(sluice_plan *plan, const char *variable);
// The next column that process gets. process is called where a plan reads or computes something, or says so.
void sluice_plan_reads(sluice_plan *plan, const char *name);
void sluice_plan_process(sluice_plan *plan);

// ---- rows

typedef struct sluice_column {
  size_t rows;
  sluice_type type;
  // NULL when no row is null.
  const uint8_t *validity;
  const uint8_t *offsets;
  const uint8_t *data;
} sluice_column;

typedef struct sluice_batch {
  size_t rows;
  // In the order of the plan's reads.
  const sluice_column *columns;
  size_t column_count;
} sluice_batch;

// Two's complement of 128 bits.
typedef struct sluice_int128 {
  uint64_t low;
  int64_t high;
} sluice_int128;

bool sluice_is_null(const sluice_column *column, size_t row);
// utf8, binary, json. Each of these gives false for NULL, other types and what does not fit.
bool sluice_get_bytes(const sluice_column *column, size_t row, sluice_bytes *value);
// Integers of any width.
bool sluice_get_i64(const sluice_column *column, size_t row, int64_t *value);
bool sluice_get_u64(const sluice_column *column, size_t row, uint64_t *value);
bool sluice_get_f64(const sluice_column *column, size_t row, double *value);
bool sluice_get_bool(const sluice_column *column, size_t row, bool *value);
// A decimal's unscaled value; its scale is the type's.
bool sluice_get_decimal(const sluice_column *column, size_t row, sluice_int128 *value);
// Date (days), time and timestamps (microseconds).
bool sluice_get_temporal(const sluice_column *column, size_t row, int64_t *value);

// The answer for one batch; everything is over ALL its rows. As it comes it keeps every row.
typedef struct sluice_edit sluice_edit;
// Whether a row stays.
void sluice_edit_keep(sluice_edit *edit, size_t row, bool keep);
// The first failure of a row counts.
void sluice_edit_reject(sluice_edit *edit, size_t row, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// The number of a set of route variables; equal sets have the same number.
uint32_t sluice_edit_route(sluice_edit *edit, const sluice_pair *variables, size_t count);
// The next row goes the way of that number.
void sluice_edit_push_route(sluice_edit *edit, uint32_t route);

typedef struct sluice_builder sluice_builder;
// The next computed column, in the order of the plan; push one value a row.
sluice_builder *sluice_edit_column(sluice_edit *edit, sluice_type type);
void sluice_push_null(sluice_builder *builder);
void sluice_push_bytes(sluice_builder *builder, const char *bytes, size_t len);
// Integers, dates, times and timestamps of any width; what does not fit is cut.
void sluice_push_i64(sluice_builder *builder, int64_t value);
void sluice_push_u64(sluice_builder *builder, uint64_t value);
void sluice_push_f64(sluice_builder *builder, double value);
void sluice_push_bool(sluice_builder *builder, bool value);
void sluice_push_decimal(sluice_builder *builder, sluice_int128 value);

typedef enum sluice_level { SLUICE_TRACE, SLUICE_DEBUG, SLUICE_INFO, SLUICE_WARN, SLUICE_ERROR } sluice_level;
// A line for the plugin's author; never affects results.
void sluice_log(sluice_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

// ---- the plugin

typedef struct sluice_plugin {
  const char *name, *version;
  // JSON Schema of the configuration, NULL for none; the host checks it before configure.
  const char *config_schema;
  // Once an instance: gives the plugin's state. Mistakes are told with sluice_problem.
  void *(*configure)(const sluice_setup *setup, sluice_problems *problems);
  // Once an instance and table schema: fills the plan and, where process needs it, *state (from malloc; freed on
  // release). The same schema always gets the same plan. Its failure stops the pipeline at this table.
  bool (*plan)(void *self, const sluice_table *table, sluice_plan *plan, void **state, sluice_failure *failure);
  // For each batch; may be NULL where no plan reads or computes. A row that cannot be handled is rejected; a failure is
  // a defect of the plugin and stops the pipeline.
  bool (*process)(void *self, void *state, const sluice_batch *batch, sluice_edit *edit, sluice_failure *failure);
} sluice_plugin;

// What the author defines.
extern const sluice_plugin sluice_export;

#ifdef __cplusplus
}
#endif
#endif
