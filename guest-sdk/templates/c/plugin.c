// Keeps the rows whose column has one value.

#include <stdlib.h>

#include "sluice.h"

typedef struct keep_where {
  sluice_bytes column, value;
} keep_where;

static void *configure(const sluice_setup *setup, sluice_problems *problems) {
  keep_where *self = calloc(1, sizeof *self);
  const sluice_json *column = sluice_json_get(setup->config, "column"), *value = sluice_json_get(setup->config, "value");
  if (column == NULL || column->kind != SLUICE_JSON_TEXT) sluice_problem(problems, "/column", "name a column");
  if (value == NULL || value->kind != SLUICE_JSON_TEXT) sluice_problem(problems, "/value", "give the text to keep");
  if (column != NULL) self->column = column->text;
  if (value != NULL) self->value = value->text;
  return self;
}

static bool plan(void *self, const sluice_table *table, sluice_plan *plan, void **state, sluice_failure *failure) {
  (void)table, (void)state, (void)failure;
  sluice_plan_reads(plan, ((const keep_where *)self)->column.ptr);
  return true;
}

static bool process(void *self, void *state, const sluice_batch *batch, sluice_edit *edit, sluice_failure *failure) {
  (void)state, (void)failure;
  for (size_t row = 0; row < batch->rows; row++) {
    sluice_bytes value;
    bool is_there = sluice_get_bytes(&batch->columns[0], row, &value);
    sluice_edit_keep(edit, row, is_there && sluice_equal(value, ((const keep_where *)self)->value));
  }
  return true;
}

const sluice_plugin sluice_export = {"@NAME@", "0.1.0", NULL, configure, plan, process};
