// Tables, plans, columns, builders and edits of the SDK. It runs natively too, so that unit tests need no host; nothing
// here knows of the component's edge (sluice_abi.c).

#include "sluice_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const KINDS[] = {
    "boolean", "int8",    "int16", "int32",       "int64",
    "uint8",   "uint16",  "uint32", "uint64",     "float32",
    "float64", "decimal", "date",  "time-micros", "timestamp-micros-utc",
    "timestamp-micros-local", "utf8", "binary", "json"};
static const uint8_t WIDTHS[] = {0, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8, 16, 4, 8, 8, 8, 0, 0, 0};

// ---- memory: without it a plugin cannot go on, and the host makes a fresh instance.

void *sluice_grow(sluice_buffer *buffer, size_t bytes) {
  if (buffer->room - buffer->len < bytes) {
    size_t room = buffer->room * 2 + bytes + 64;
    uint8_t *ptr = realloc(buffer->ptr, room);
    if (ptr == NULL) abort();
    buffer->ptr = ptr;
    buffer->room = room;
  }
  void *at = buffer->ptr + buffer->len;
  buffer->len += bytes;
  return at;
}

static void append(sluice_buffer *buffer, const void *bytes, size_t len) {
  if (len > 0) memcpy(sluice_grow(buffer, len), bytes, len);
}

char *sluice_copy(const char *text, size_t len) {
  char *copy = malloc(len + 1);
  if (copy == NULL) abort();
  if (len > 0) memcpy(copy, text, len);
  copy[len] = 0;
  return copy;
}

static char *copied(const char *text) { return sluice_copy(text, strlen(text)); }

static void *room_for(void *list, size_t count, size_t bytes) {
  list = realloc(list, (count + 1) * bytes);
  if (list == NULL) abort();
  return list;
}

// ---- texts and failures

sluice_bytes sluice_text(const char *text) { return (sluice_bytes){text, strlen(text)}; }

bool sluice_equal(sluice_bytes a, sluice_bytes b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c; }

static bool equal_folded(sluice_bytes a, sluice_bytes b) {
  if (a.len != b.len) return false;
  for (size_t i = 0; i < a.len; i++)
    if (lower(a.ptr[i]) != lower(b.ptr[i])) return false;
  return true;
}

static bool fail_with(sluice_failure *failure, const char *code, const char *format, va_list arguments) {
  size_t at = 0;
  for (; code[at] != 0 && at < sizeof failure->code - 1; at++) {
    char c = lower(code[at]);
    bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    failure->code[at] = fits ? c : '-';
  }
  failure->code[at] = 0;
  if (at == 0) strcpy(failure->code, "failure");
  vsnprintf(failure->detail, sizeof failure->detail, format, arguments);
  return false;
}

bool sluice_fail(sluice_failure *failure, const char *code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fail_with(failure, code, format, arguments);
  va_end(arguments);
  return false;
}

void sluice_problem(sluice_problems *problems, const char *path, const char *format, ...) {
  char message[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  problems->texts = room_for(problems->texts, problems->count * 2 + 1, sizeof *problems->texts);
  problems->texts[problems->count * 2] = copied(path);
  problems->texts[problems->count * 2 + 1] = copied(message);
  problems->count++;
}

void sluice_log(sluice_level level, const char *format, ...) {
  char message[1024];
  va_list arguments;
  va_start(arguments, format);
  int len = vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  if (len < 0) return;
  sluice_write_log(level, message, (size_t)len < sizeof message ? (size_t)len : sizeof message - 1);
}

// ---- types and tables

size_t sluice_type_width(sluice_type type) { return type.kind < sizeof WIDTHS ? WIDTHS[type.kind] : 0; }

bool sluice_type_equal(sluice_type a, sluice_type b) {
  return a.kind == b.kind && a.precision == b.precision && a.scale == b.scale;
}

const char *sluice_type_name(sluice_type type, char *name) {
  if (type.kind == SLUICE_DECIMAL) {
    snprintf(name, 32, "decimal(%d,%d)", type.precision, type.scale);
  } else {
    snprintf(name, 32, "%s", type.kind < sizeof WIDTHS ? KINDS[type.kind] : "unknown");
  }
  return name;
}

int sluice_table_find(const sluice_table *table, const char *name) {
  sluice_bytes wanted = sluice_text(name);
  for (size_t at = 0; at < table->field_count; at++)
    if (sluice_equal(table->fields[at].name, wanted)) return (int)at;
  return -1;
}

static void say(sluice_buffer *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(sluice_buffer *text, const char *format, ...) {
  char part[600];
  va_list arguments;
  va_start(arguments, format);
  int len = vsnprintf(part, sizeof part, format, arguments);
  va_end(arguments);
  if (len > 0) append(text, part, (size_t)len < sizeof part ? (size_t)len : sizeof part - 1);
}

static void say_names(sluice_buffer *text, const sluice_table *table) {
  for (size_t at = 0; at < table->field_count; at++) {
    if (at > 0) append(text, ", ", 2);
    append(text, table->fields[at].name.ptr, table->fields[at].name.len);
  }
}

static void say_unknown(sluice_buffer *text, const sluice_table *table, const char *name) {
  say(text, "table %.*s.%.*s has no column `%s` (it has: ", (int)table->database.len, table->database.ptr,
      (int)table->table.len, table->table.ptr, name);
  say_names(text, table);
  append(text, ")", 1);
  for (size_t at = 0; at < table->field_count; at++) {
    sluice_bytes field = table->fields[at].name;
    if (equal_folded(field, sluice_text(name)))
      say(text, "; `%.*s` differs in case only", (int)field.len, field.ptr);
  }
}

int sluice_table_field(const sluice_table *table, const char *name, sluice_failure *failure) {
  int at = sluice_table_find(table, name);
  if (at < 0) {
    sluice_buffer text = {0};
    say_unknown(&text, table, name);
    sluice_fail(failure, "unknown-column", "%.*s", (int)text.len, (const char *)text.ptr);
    free(text.ptr);
  }
  return at;
}

// ---- plans

static sluice_output *push_output(sluice_plan *plan, const char *name, size_t len) {
  plan->outputs = room_for(plan->outputs, plan->output_count, sizeof *plan->outputs);
  sluice_output *output = &plan->outputs[plan->output_count++];
  *output = (sluice_output){.name = sluice_copy(name, len)};
  return output;
}

void sluice_plan_start(sluice_plan *plan, const sluice_table *table) {
  *plan = (sluice_plan){.table = table, .decision = SLUICE_APPLY};
  for (uint32_t at = 0; at < table->field_count; at++) {
    sluice_bytes name = table->fields[at].name;
    push_output(plan, name.ptr, name.len)->at = at;
  }
}

static sluice_buffer *mistake(sluice_plan *plan) {
  if (plan->mistakes.len > 0) append(&plan->mistakes, "; ", 2);
  return &plan->mistakes;
}

static int known(sluice_plan *plan, const char *name) {
  int at = sluice_table_find(plan->table, name);
  if (at < 0) say_unknown(mistake(plan), plan->table, name);
  return at;
}

static bool carries(const sluice_output *output, uint32_t field) {
  return (output->source == SLUICE_FROM_INPUT || output->source == SLUICE_FROM_CAST) && output->at == field;
}

static sluice_output *changed(sluice_plan *plan, const char *name) {
  int field = known(plan, name);
  if (field < 0) return NULL;
  for (size_t at = 0; at < plan->output_count; at++)
    if (carries(&plan->outputs[at], (uint32_t)field)) return &plan->outputs[at];
  say(mistake(plan), "`%s` was dropped or replaced by an earlier step", name);
  return NULL;
}

void sluice_plan_exclude(sluice_plan *plan) { plan->decision = SLUICE_EXCLUDE; }
void sluice_plan_pass(sluice_plan *plan) { plan->decision = SLUICE_PASS; }
void sluice_plan_process(sluice_plan *plan) { plan->has_process = true; }

void sluice_plan_rename(sluice_plan *plan, const char *from, const char *to) {
  sluice_output *output = changed(plan, from);
  if (output == NULL) return;
  free(output->name);
  output->name = copied(to);
}

void sluice_plan_drop(sluice_plan *plan, const char *name) {
  int field = known(plan, name);
  if (field < 0) return;
  for (size_t at = 0; at < plan->output_count; at++) {
    if (!carries(&plan->outputs[at], (uint32_t)field)) continue;
    free(plan->outputs[at].name);
    plan->output_count--;
    memmove(&plan->outputs[at], &plan->outputs[at + 1], (plan->output_count - at) * sizeof *plan->outputs);
    at--;
  }
}

void sluice_plan_order(sluice_plan *plan, const char *name) {
  plan->order = room_for(plan->order, plan->order_count, sizeof *plan->order);
  plan->order[plan->order_count++] = copied(name);
}

void sluice_plan_cast(sluice_plan *plan, const char *name, sluice_type to) {
  sluice_output *output = changed(plan, name);
  if (output == NULL) return;
  output->source = SLUICE_FROM_CAST;
  output->type = to;
}

static void compute(sluice_plan *plan, sluice_output *output, sluice_type type, bool nullable) {
  uint32_t slot = plan->slots++;
  if (output == NULL) return;
  output->source = SLUICE_FROM_COMPUTED;
  output->at = slot;
  output->type = type;
  output->nullable = nullable;
}

void sluice_plan_computed(sluice_plan *plan, const char *name, sluice_type type, bool nullable) {
  compute(plan, push_output(plan, name, strlen(name)), type, nullable);
}

void sluice_plan_replace(sluice_plan *plan, const char *name, sluice_type type, bool nullable) {
  compute(plan, changed(plan, name), type, nullable);
}

static void fix(sluice_output *output, uint8_t source, sluice_type type, const char *text) {
  if (output == NULL) return;
  output->source = source;
  output->type = type;
  output->text = text == NULL ? NULL : copied(text);
}

void sluice_plan_constant(sluice_plan *plan, const char *name, sluice_type type, const char *text) {
  fix(push_output(plan, name, strlen(name)), SLUICE_FROM_CONSTANT, type, text);
}

void sluice_plan_replace_constant(sluice_plan *plan, const char *name, sluice_type type, const char *text) {
  fix(changed(plan, name), SLUICE_FROM_CONSTANT, type, text);
}

void sluice_plan_metadata(sluice_plan *plan, const char *fact, const char *name) {
  fix(push_output(plan, name, strlen(name)), SLUICE_FROM_METADATA, SLUICE_TYPE(SLUICE_UTF8), fact);
}

void sluice_plan_id_column(sluice_plan *plan, const char *name) {
  plan->ids = room_for(plan->ids, plan->id_count, sizeof *plan->ids);
  plan->ids[plan->id_count++] = copied(name);
}

static char **push_pair(char **pairs, size_t count, const char *key, const char *value) {
  pairs = room_for(pairs, count * 2 + 1, sizeof *pairs);
  pairs[count * 2] = copied(key);
  pairs[count * 2 + 1] = copied(value);
  return pairs;
}

void sluice_plan_route(sluice_plan *plan, const char *variable, const char *value) {
  plan->route = push_pair(plan->route, plan->route_count++, variable, value);
}

void sluice_plan_row_route(sluice_plan *plan, const char *variable) {
  plan->properties = push_pair(plan->properties, plan->property_count++, "row-route", variable);
}

void sluice_plan_reads(sluice_plan *plan, const char *name) {
  int field = known(plan, name);
  plan->has_process = true;
  if (field < 0) return;
  plan->reads = room_for(plan->reads, plan->read_count, sizeof *plan->reads);
  plan->reads[plan->read_count++] = (uint32_t)field;
}

static int output_at(const sluice_plan *plan, size_t from, const char *name) {
  for (size_t at = from; at < plan->output_count; at++)
    if (strcmp(plan->outputs[at].name, name) == 0) return (int)at;
  return -1;
}

static void say_no_output(sluice_plan *plan, const char *step, const char *name) {
  const sluice_table *table = plan->table;
  sluice_buffer *text = mistake(plan);
  say(text, "%s names `%s`, which the output of %.*s.%.*s has not (it has: ", step, name, (int)table->database.len,
      table->database.ptr, (int)table->table.len, table->table.ptr);
  for (size_t at = 0; at < plan->output_count; at++)
    say(text, "%s%s", at > 0 ? ", " : "", plan->outputs[at].name);
  append(text, ")", 1);
}

static void put_in_order(sluice_plan *plan) {
  size_t done = 0;
  for (size_t i = 0; i < plan->order_count; i++) {
    int at = output_at(plan, done, plan->order[i]);
    if (at >= 0) {
      sluice_output moved = plan->outputs[at];
      memmove(&plan->outputs[done + 1], &plan->outputs[done], ((size_t)at - done) * sizeof moved);
      plan->outputs[done++] = moved;
    } else if (output_at(plan, 0, plan->order[i]) >= 0) {
      say(mistake(plan), "`%s` stands twice in the order", plan->order[i]);
    } else {
      say_no_output(plan, "order", plan->order[i]);
    }
  }
}

static void check_names(sluice_plan *plan) {
  for (size_t at = 0; at < plan->output_count; at++)
    for (size_t earlier = 0; earlier < at; earlier++) {
      const char *a = plan->outputs[earlier].name, *b = plan->outputs[at].name;
      if (!equal_folded(sluice_text(a), sluice_text(b))) continue;
      say(mistake(plan), "the output has both `%s` and `%s`: names must differ by more than case", a, b);
      break;
    }
}

static void resolve_ids(sluice_plan *plan) {
  plan->id_columns = room_for(NULL, plan->id_count, sizeof *plan->id_columns);
  for (size_t i = 0; i < plan->id_count; i++) {
    int at = output_at(plan, 0, plan->ids[i]);
    if (at < 0) say_no_output(plan, "id-columns", plan->ids[i]);
    plan->id_columns[i] = (uint32_t)(at < 0 ? 0 : at);
  }
  for (size_t i = 0; plan->id_count == 0 && i < plan->table->id_columns.count; i++) {
    uint32_t id = plan->table->id_columns.fields[i];
    bool is_there = id >= plan->table->field_count;
    for (size_t at = 0; at < plan->output_count; at++) is_there |= carries(&plan->outputs[at], id);
    if (is_there) continue;
    sluice_bytes name = plan->table->fields[id].name;
    say(mistake(plan), "the id column `%.*s` does not reach the output: keep it or name other id columns",
        (int)name.len, name.ptr);
  }
}

bool sluice_plan_finish(sluice_plan *plan, sluice_failure *failure) {
  if (plan->decision != SLUICE_APPLY) return true;
  put_in_order(plan);
  check_names(plan);
  resolve_ids(plan);
  if (plan->mistakes.len > 0)
    return sluice_fail(failure, "plan", "%.*s", (int)plan->mistakes.len, (const char *)plan->mistakes.ptr);
  plan->has_process |= plan->slots > 0;
  plan->is_unchanged = plan->output_count == plan->table->field_count;
  for (size_t at = 0; at < plan->output_count && plan->is_unchanged; at++) {
    const sluice_output *output = &plan->outputs[at];
    plan->is_unchanged = output->source == SLUICE_FROM_INPUT && output->at == at &&
                         sluice_equal(sluice_text(output->name), plan->table->fields[at].name);
  }
  return true;
}

// ---- columns

static bool bit(const uint8_t *bits, size_t row) { return bits[row >> 3] >> (row & 7) & 1; }

static uint32_t offset_at(const uint8_t *offsets, size_t row) {
  uint32_t offset;
  memcpy(&offset, offsets + row * 4, 4);
  return offset;
}

bool sluice_column_check(const sluice_column *column, size_t validity, size_t offsets, size_t data,
                         sluice_failure *failure) {
  size_t width = sluice_type_width(column->type), bits = (column->rows + 7) / 8;
  bool fits = width > 0 ? data == column->rows * width : data == bits;
  if (column->type.kind >= SLUICE_UTF8) {
    fits = offsets == (column->rows + 1) * 4;
    uint32_t last = 0;
    for (size_t row = 0; fits && row <= column->rows; row++) {
      uint32_t offset = offset_at(column->offsets, row);
      fits = offset >= last && offset <= data;
      last = offset;
    }
  }
  if (fits && (column->validity == NULL || validity == bits)) return true;
  char name[32];
  return sluice_fail(failure, "column-length", "a column of type %s is not %zu rows long",
                     sluice_type_name(column->type, name), column->rows);
}

bool sluice_is_null(const sluice_column *column, size_t row) {
  return row >= column->rows || (column->validity != NULL && !bit(column->validity, row));
}

bool sluice_get_bytes(const sluice_column *column, size_t row, sluice_bytes *value) {
  if (column->type.kind < SLUICE_UTF8 || sluice_is_null(column, row)) return false;
  uint32_t start = offset_at(column->offsets, row), end = offset_at(column->offsets, row + 1);
  *value = (sluice_bytes){(const char *)column->data + start, end - start};
  return true;
}

static uint64_t raw_at(const sluice_column *column, size_t row) {
  uint64_t raw = 0;
  size_t width = sluice_type_width(column->type);
  memcpy(&raw, column->data + row * width, width > 8 ? 8 : width);
  return raw;
}

static int64_t signed_at(const sluice_column *column, size_t row) {
  unsigned shift = 64 - 8 * (unsigned)sluice_type_width(column->type);
  return (int64_t)(raw_at(column, row) << shift) >> shift;
}

bool sluice_get_i64(const sluice_column *column, size_t row, int64_t *value) {
  uint8_t kind = column->type.kind;
  if (kind < SLUICE_INT8 || kind > SLUICE_UINT64 || sluice_is_null(column, row)) return false;
  if (kind >= SLUICE_UINT8) {
    uint64_t raw = raw_at(column, row);
    *value = (int64_t)raw;
    return raw <= INT64_MAX;
  }
  *value = signed_at(column, row);
  return true;
}

bool sluice_get_u64(const sluice_column *column, size_t row, uint64_t *value) {
  if (column->type.kind == SLUICE_UINT64 && !sluice_is_null(column, row)) {
    *value = raw_at(column, row);
    return true;
  }
  int64_t number;
  if (!sluice_get_i64(column, row, &number) || number < 0) return false;
  *value = (uint64_t)number;
  return true;
}

bool sluice_get_f64(const sluice_column *column, size_t row, double *value) {
  if (sluice_is_null(column, row)) return false;
  if (column->type.kind == SLUICE_FLOAT32) {
    float number;
    memcpy(&number, column->data + row * 4, 4);
    *value = number;
    return true;
  }
  if (column->type.kind != SLUICE_FLOAT64) return false;
  memcpy(value, column->data + row * 8, 8);
  return true;
}

bool sluice_get_bool(const sluice_column *column, size_t row, bool *value) {
  if (column->type.kind != SLUICE_BOOLEAN || sluice_is_null(column, row)) return false;
  *value = bit(column->data, row);
  return true;
}

bool sluice_get_decimal(const sluice_column *column, size_t row, sluice_int128 *value) {
  if (column->type.kind != SLUICE_DECIMAL || sluice_is_null(column, row)) return false;
  memcpy(&value->low, column->data + row * 16, 8);
  memcpy(&value->high, column->data + row * 16 + 8, 8);
  return true;
}

bool sluice_get_temporal(const sluice_column *column, size_t row, int64_t *value) {
  uint8_t kind = column->type.kind;
  if (kind < SLUICE_DATE || kind > SLUICE_TIMESTAMP_MICROS_LOCAL || sluice_is_null(column, row)) return false;
  *value = signed_at(column, row);
  return true;
}

// ---- edits

void sluice_edit_keep(sluice_edit *edit, size_t row, bool keep) {
  if (edit->keep == NULL) {
    edit->keep = malloc((edit->rows + 7) / 8 + 1);
    if (edit->keep == NULL) abort();
    memset(edit->keep, 0xFF, (edit->rows + 7) / 8);
  }
  if (row >= edit->rows) return;
  uint8_t mask = (uint8_t)(1u << (row & 7));
  edit->keep[row >> 3] = (uint8_t)(keep ? edit->keep[row >> 3] | mask : edit->keep[row >> 3] & ~mask);
}

void sluice_edit_reject(sluice_edit *edit, size_t row, const char *code, const char *format, ...) {
  const sluice_rejection *known = (const sluice_rejection *)edit->rejections.ptr;
  for (size_t i = edit->rejections.len / sizeof *known; i > 0; i--)
    if (known[i - 1].row == row) return;
  sluice_rejection *rejection = sluice_grow(&edit->rejections, sizeof *rejection);
  rejection->row = row;
  va_list arguments;
  va_start(arguments, format);
  fail_with(&rejection->failure, code, format, arguments);
  va_end(arguments);
}

uint32_t sluice_edit_route(sluice_edit *edit, const sluice_pair *variables, size_t count) {
  const sluice_route *known = (const sluice_route *)edit->routes.ptr;
  uint32_t number = (uint32_t)(edit->routes.len / sizeof *known);
  for (uint32_t i = 0; i < number; i++) {
    bool same = known[i].count == count;
    for (size_t v = 0; same && v < count; v++)
      same = sluice_equal(known[i].variables[v].key, variables[v].key) &&
             sluice_equal(known[i].variables[v].value, variables[v].value);
    if (same) return i;
  }
  sluice_route *route = sluice_grow(&edit->routes, sizeof *route);
  *route = (sluice_route){room_for(NULL, count, sizeof *variables), count};
  for (size_t v = 0; v < count; v++) {
    sluice_bytes key = variables[v].key, value = variables[v].value;
    route->variables[v].key = (sluice_bytes){sluice_copy(key.ptr, key.len), key.len};
    route->variables[v].value = (sluice_bytes){sluice_copy(value.ptr, value.len), value.len};
  }
  return number;
}

void sluice_edit_push_route(sluice_edit *edit, uint32_t route) { append(&edit->route_rows, &route, 4); }

sluice_builder *sluice_edit_column(sluice_edit *edit, sluice_type type) {
  edit->columns = room_for(edit->columns, edit->column_count, sizeof *edit->columns);
  sluice_builder *builder = calloc(1, sizeof *builder);
  if (builder == NULL) abort();
  builder->type = type;
  if (type.kind >= SLUICE_UTF8) memset(sluice_grow(&builder->offsets, 4), 0, 4);
  edit->columns[edit->column_count++] = builder;
  return builder;
}

static void push_bit(sluice_buffer *bits, size_t row, bool value) {
  if ((row & 7) == 0) *(uint8_t *)sluice_grow(bits, 1) = 0;
  if (value) bits->ptr[row >> 3] |= (uint8_t)(1u << (row & 7));
}

static void push_row(sluice_builder *builder, bool is_there) {
  if (!is_there && !builder->has_nulls) {
    builder->has_nulls = true;
    for (size_t row = 0; row < builder->rows; row++) push_bit(&builder->validity, row, true);
  }
  if (builder->has_nulls) push_bit(&builder->validity, builder->rows, is_there);
  if (builder->type.kind >= SLUICE_UTF8) {
    uint32_t end = (uint32_t)builder->data.len;
    append(&builder->offsets, &end, 4);
  }
  builder->rows++;
}

static void push_raw(sluice_builder *builder, uint64_t low, uint64_t high, bool is_there) {
  uint64_t raw[2] = {low, high};
  if (builder->type.kind == SLUICE_BOOLEAN) {
    push_bit(&builder->data, builder->rows, is_there && low != 0);
  } else {
    append(&builder->data, raw, sluice_type_width(builder->type));
  }
  push_row(builder, is_there);
}

void sluice_push_null(sluice_builder *builder) { push_raw(builder, 0, 0, false); }

void sluice_push_bytes(sluice_builder *builder, const char *bytes, size_t len) {
  if (builder->type.kind < SLUICE_UTF8) return;
  append(&builder->data, bytes, len);
  push_row(builder, true);
}

void sluice_push_i64(sluice_builder *builder, int64_t value) {
  push_raw(builder, (uint64_t)value, value < 0 ? UINT64_MAX : 0, true);
}

void sluice_push_u64(sluice_builder *builder, uint64_t value) { push_raw(builder, value, 0, true); }
void sluice_push_bool(sluice_builder *builder, bool value) { push_raw(builder, value, 0, true); }

void sluice_push_f64(sluice_builder *builder, double value) {
  uint64_t raw = 0;
  float narrow = (float)value;
  if (builder->type.kind == SLUICE_FLOAT32) {
    memcpy(&raw, &narrow, 4);
  } else {
    memcpy(&raw, &value, 8);
  }
  push_raw(builder, raw, 0, true);
}

void sluice_push_decimal(sluice_builder *builder, sluice_int128 value) {
  push_raw(builder, value.low, (uint64_t)value.high, true);
}

static int by_row(const void *a, const void *b) {
  size_t x = ((const sluice_rejection *)a)->row, y = ((const sluice_rejection *)b)->row;
  return (x > y) - (x < y);
}

bool sluice_edit_finish(sluice_edit *edit, const sluice_type *computed, size_t count, sluice_failure *failure) {
  if (edit->column_count != count)
    return sluice_fail(failure, "edit", "the plan computes %zu columns, the edit has %zu", count, edit->column_count);
  for (size_t slot = 0; slot < count; slot++) {
    const sluice_builder *built = edit->columns[slot];
    char given[32], planned[32];
    if (!sluice_type_equal(built->type, computed[slot]) || built->rows != edit->rows)
      return sluice_fail(failure, "edit", "computed column %zu is %s with %zu rows, planned is %s with %zu", slot,
                         sluice_type_name(built->type, given), built->rows, sluice_type_name(computed[slot], planned),
                         edit->rows);
  }
  if (edit->routes.len > 0 && edit->route_rows.len != edit->rows * 4)
    return sluice_fail(failure, "edit", "%zu rows are routed, the batch has %zu", edit->route_rows.len / 4, edit->rows);
  if (edit->rejections.len > 0)
    qsort(edit->rejections.ptr, edit->rejections.len / sizeof(sluice_rejection), sizeof(sluice_rejection), by_row);
  // Unused bits are nobody's, but the same answer has to be the same bytes.
  if (edit->keep != NULL && (edit->rows & 7) != 0) edit->keep[edit->rows >> 3] &= (uint8_t)((1u << (edit->rows & 7)) - 1);
  return true;
}
