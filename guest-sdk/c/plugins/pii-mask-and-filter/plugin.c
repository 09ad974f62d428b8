// Hashes columns that name people and drops rows that nobody downstream may have. It must never let a value through that
// its configuration names, and never make two different keys equal.

#include <stdlib.h>
#include <string.h>

#include "sha256.h"
#include "sluice.h"

static const char CONFIG_SCHEMA[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"mask\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"salt\":{\"type\":\"string\"},"
    "\"drop\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"column\",\"values\"],\"properties\":{"
    "\"column\":{\"type\":\"string\"},\"values\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}}}}}";

typedef struct config {
  const sluice_json *mask, *drop_column, *drop_values;
  sluice_bytes salt;
} config;

static void *configure(const sluice_setup *setup, sluice_problems *problems) {
  // The schema has been checked: only what it cannot say is left.
  config *self = calloc(1, sizeof *self);
  const sluice_json *drop = sluice_json_get(setup->config, "drop");
  const sluice_json *salt = sluice_json_get(setup->config, "salt");
  self->mask = sluice_json_get(setup->config, "mask");
  self->drop_column = sluice_json_get(drop, "column");
  self->drop_values = sluice_json_get(drop, "values");
  self->salt = salt == NULL ? sluice_text("") : salt->text;
  bool masks = self->mask != NULL && self->mask->count > 0;
  if (!masks && drop == NULL) sluice_problem(problems, "", "nothing to do: give `mask` or `drop`");
  if (masks && self->salt.len == 0)
    sluice_problem(problems, "/salt", "a hash without a salt is found out by trying: give a secret text");
  return self;
}

// Reads a column of text; -1 with a failure where it is not one.
static int text_column(const sluice_table *table, const char *name, const char *code, const char *verb,
                       sluice_failure *failure) {
  int at = sluice_table_field(table, name, failure);
  if (at < 0 || table->fields[at].type.kind == SLUICE_UTF8) return at;
  char type[32];
  sluice_fail(failure, code, "`%s` is %s, only utf8 can be %s", name, sluice_type_name(table->fields[at].type, type), verb);
  return -1;
}

static bool plan(void *self, const sluice_table *table, sluice_plan *plan, void **state, sluice_failure *failure) {
  const config *config = self;
  size_t masks = config->mask == NULL ? 0 : config->mask->count;
  // The place of the column that decides about a row, among those that are read; -1: none does.
  int *drop_at = malloc(sizeof *drop_at);
  *state = drop_at;
  *drop_at = -1;
  for (size_t i = 0; i < masks; i++) {
    const char *name = config->mask->items[i].text.ptr;
    int at = text_column(table, name, "mask-type", "masked", failure);
    if (at < 0) return false;
    sluice_plan_replace(plan, name, SLUICE_TYPE(SLUICE_UTF8), table->fields[at].nullable);
    sluice_plan_reads(plan, name);
    if (config->drop_column != NULL && strcmp(name, config->drop_column->text.ptr) == 0) *drop_at = (int)i;
  }
  if (config->drop_column != NULL) {
    const char *name = config->drop_column->text.ptr;
    if (text_column(table, name, "drop-type", "compared", failure) < 0) return false;
    if (*drop_at < 0) {
      *drop_at = (int)masks;
      sluice_plan_reads(plan, name);
    }
  }
  // A hashed key stays a key, but the plan has to say so.
  for (size_t i = 0; i < table->id_columns.count; i++) {
    sluice_bytes name = table->fields[table->id_columns.fields[i]].name;
    char *copy = strndup(name.ptr, name.len);
    sluice_plan_id_column(plan, copy);
    free(copy);
  }
  return true;
}

static bool is_dropped(const config *config, const sluice_column *column, size_t row) {
  sluice_bytes value;
  if (!sluice_get_bytes(column, row, &value)) return false;
  for (size_t i = 0; i < config->drop_values->count; i++)
    if (sluice_equal(value, config->drop_values->items[i].text)) return true;
  return false;
}

static bool process(void *self, void *state, const sluice_batch *batch, sluice_edit *edit, sluice_failure *failure) {
  const config *config = self;
  int drop_at = *(const int *)state;
  (void)failure;
  if (drop_at >= 0)
    for (size_t row = 0; row < batch->rows; row++)
      sluice_edit_keep(edit, row, !is_dropped(config, &batch->columns[drop_at], row));
  for (size_t i = 0; config->mask != NULL && i < config->mask->count; i++) {
    sluice_builder *masked = sluice_edit_column(edit, SLUICE_TYPE(SLUICE_UTF8));
    for (size_t row = 0; row < batch->rows; row++) {
      sluice_bytes value;
      if (!sluice_get_bytes(&batch->columns[i], row, &value)) {
        sluice_push_null(masked);
        continue;
      }
      sha256 hash;
      char digits[64];
      sha256_start(&hash);
      sha256_add(&hash, config->salt.ptr, config->salt.len);
      sha256_add(&hash, "", 1);
      sha256_add(&hash, value.ptr, value.len);
      sha256_hex(&hash, digits);
      sluice_push_bytes(masked, digits, sizeof digits);
    }
  }
  return true;
}

const sluice_plugin sluice_export = {"pii-mask-and-filter", "0.1.0", CONFIG_SCHEMA, configure, plan, process};
