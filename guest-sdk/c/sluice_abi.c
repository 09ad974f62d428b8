// The component's functions, over the generated bindings: arguments become the SDK's views, answers the bindings'
// records. What the host passed is freed when the call ends.

#include "bindings/transformer.h"
#include "sluice_internal.h"

#include <stdlib.h>
#include <string.h>

#define WIRE(name) exports_sluice_transform_transform_##name

// The bindings ask for the object that carries the component's type; the host knows the type and adds it.
void __component_type_object_force_link_transformer(void) {}

typedef struct planned {
  uint32_t id;
  void *state;
  sluice_type *reads, *computed;
  size_t read_count, computed_count;
} planned;

static void *self;
static bool is_configured;
static planned *tables;
static size_t table_count;

static sluice_bytes text_of(transformer_string_t text) { return (sluice_bytes){(const char *)text.ptr, text.len}; }

// Where empty lists and texts of an answer lie: the bindings free what has a length only.
static uint64_t nowhere;

static transformer_string_t wire_text(const char *text, size_t len) {
  return (transformer_string_t){len > 0 ? (uint8_t *)sluice_copy(text, len) : (uint8_t *)&nowhere, len};
}

static transformer_string_t wire(const char *text) { return wire_text(text, strlen(text)); }

static void *allocated(size_t count, size_t bytes) {
  void *all = calloc(count + 1, bytes);
  if (all == NULL) abort();
  return all;
}

static void *wire_list(size_t count, size_t bytes) { return count > 0 ? allocated(count, bytes) : &nowhere; }

static void wire_failure(sluice_transform_types_failure_t *out, const sluice_failure *failure) {
  out->code = wire(failure->code);
  out->detail = wire(failure->detail);
}

void sluice_write_log(sluice_level level, const char *text, size_t len) {
  transformer_string_t message = {(uint8_t *)text, len};
  sluice_transform_logging_log((sluice_transform_logging_level_t)level, &message);
}

void WIRE(describe)(WIRE(plugin_info_t) * ret) {
  memset(ret, 0, sizeof *ret);
  ret->name = wire(sluice_export.name);
  ret->version = wire(sluice_export.version);
  ret->config_schema.is_some = sluice_export.config_schema != NULL;
  if (ret->config_schema.is_some) ret->config_schema.val = wire(sluice_export.config_schema);
}

bool WIRE(configure)(transformer_string_t *config, WIRE(list_attachment_t) * attachments, WIRE(limits_t) * limits,
                     WIRE(config_error_t) * err) {
  sluice_problems problems = {0};
  // Configuration and files live as long as the instance: what was passed is not freed.
  sluice_attachment *files = allocated(attachments->len, sizeof *files);
  for (size_t i = 0; i < attachments->len; i++) {
    files[i].name = text_of(attachments->ptr[i].name);
    files[i].data = (sluice_bytes){(const char *)attachments->ptr[i].data.ptr, attachments->ptr[i].data.len};
  }
  sluice_setup setup = {sluice_json_parse(text_of(*config)), files, attachments->len,
                        {limits->memory_bytes, limits->rows_max, limits->output_bytes_max}};
  if (setup.config == NULL) {
    sluice_problem(&problems, "", "it is no JSON");
  } else {
    self = sluice_export.configure(&setup, &problems);
  }
  is_configured = problems.count == 0;
  if (is_configured) return true;
  err->problems.ptr = wire_list(problems.count, sizeof *err->problems.ptr);
  err->problems.len = problems.count;
  for (size_t i = 0; i < problems.count; i++) {
    err->problems.ptr[i].path = wire(problems.texts[i * 2]);
    err->problems.ptr[i].message = wire(problems.texts[i * 2 + 1]);
  }
  return false;
}

static sluice_pair *pairs_of(const sluice_transform_types_property_t *from, size_t count) {
  sluice_pair *pairs = allocated(count, sizeof *pairs);
  for (size_t i = 0; i < count; i++) pairs[i] = (sluice_pair){text_of(from[i].f0), text_of(from[i].f1)};
  return pairs;
}

static sluice_type type_of(sluice_transform_types_data_type_t type) {
  sluice_type read = SLUICE_TYPE(type.tag);
  if (type.tag == SLUICE_DECIMAL) {
    read.precision = type.val.decimal.precision;
    read.scale = type.val.decimal.scale;
  }
  return read;
}

static sluice_transform_types_data_type_t wire_type(sluice_type type) {
  sluice_transform_types_data_type_t out = {.tag = type.kind};
  out.val.decimal.precision = type.precision;
  out.val.decimal.scale = type.scale;
  return out;
}

static sluice_table table_of(const WIRE(table_schema_t) * from) {
  sluice_field *fields = allocated(from->fields.len, sizeof *fields);
  for (size_t i = 0; i < from->fields.len; i++) {
    const sluice_transform_types_field_t *field = &from->fields.ptr[i];
    fields[i] = (sluice_field){text_of(field->name), type_of(field->data_type), field->nullable, {"", 0},
                               pairs_of(field->properties.ptr, field->properties.len), field->properties.len};
    if (field->source_type.is_some) fields[i].source_type = text_of(field->source_type.val);
  }
  return (sluice_table){
      .database = text_of(from->database),
      .table = text_of(from->table),
      .fields = fields,
      .field_count = from->fields.len,
      .primary_key = {from->primary_key.is_some, from->primary_key.is_some ? from->primary_key.val.ptr : NULL,
                      from->primary_key.is_some ? from->primary_key.val.len : 0},
      .id_columns = {true, from->id_columns.ptr, from->id_columns.len},
      .route = pairs_of((const sluice_transform_types_property_t *)from->route.ptr, from->route.len),
      .route_count = from->route.len,
      .properties = pairs_of(from->properties.ptr, from->properties.len),
      .property_count = from->properties.len,
  };
}

static sluice_transform_types_property_t *wire_pairs(char *const *texts, size_t count) {
  sluice_transform_types_property_t *out = wire_list(count, sizeof *out);
  for (size_t i = 0; i < count; i++) {
    out[i].f0 = wire(texts[i * 2]);
    out[i].f1 = wire(texts[i * 2 + 1]);
  }
  return out;
}

static void wire_source(WIRE(column_source_t) * out, const sluice_output *from) {
  out->tag = from->source;
  switch (from->source) {
    case SLUICE_FROM_INPUT:
      out->val.input = from->at;
      break;
    case SLUICE_FROM_CAST:
      out->val.cast.field = from->at;
      out->val.cast.to = wire_type(from->type);
      break;
    case SLUICE_FROM_COMPUTED:
      out->val.computed.slot = from->at;
      out->val.computed.data_type = wire_type(from->type);
      out->val.computed.nullable = from->nullable;
      break;
    case SLUICE_FROM_CONSTANT:
      out->val.constant.data_type = wire_type(from->type);
      out->val.constant.text.is_some = from->text != NULL;
      if (from->text != NULL) out->val.constant.text.val = wire(from->text);
      break;
    default:
      out->val.metadata = wire(from->text);
  }
}

static void wire_plan(WIRE(table_plan_t) * out, const sluice_plan *plan) {
  memset(out, 0, sizeof *out);
  out->output.is_some = !plan->is_unchanged;
  if (out->output.is_some) {
    out->output.val.ptr = wire_list(plan->output_count, sizeof *out->output.val.ptr);
    out->output.val.len = plan->output_count;
    for (size_t i = 0; i < plan->output_count; i++) {
      out->output.val.ptr[i].name = wire(plan->outputs[i].name);
      wire_source(&out->output.val.ptr[i].source, &plan->outputs[i]);
    }
  }
  out->id_columns.is_some = plan->id_count > 0;
  if (out->id_columns.is_some) {
    out->id_columns.val.ptr = wire_list(plan->id_count, 4);
    memcpy(out->id_columns.val.ptr, plan->id_columns, plan->id_count * 4);
    out->id_columns.val.len = plan->id_count;
  }
  out->route.ptr = (sluice_transform_types_route_variable_t *)wire_pairs(plan->route, plan->route_count);
  out->route.len = plan->route_count;
  out->process.is_some = plan->has_process;
  if (plan->has_process) {
    out->process.val.reads.ptr = wire_list(plan->read_count, 4);
    if (plan->read_count > 0) memcpy(out->process.val.reads.ptr, plan->reads, plan->read_count * 4);
    out->process.val.reads.len = plan->read_count;
  }
  out->properties.ptr = wire_pairs(plan->properties, plan->property_count);
  out->properties.len = plan->property_count;
}

static void forget(uint32_t id) {
  for (size_t i = 0; i < table_count; i++) {
    if (tables[i].id != id) continue;
    free(tables[i].state);
    free(tables[i].reads);
    free(tables[i].computed);
    tables[i] = tables[--table_count];
    return;
  }
}

static void remember(uint32_t id, const sluice_plan *plan, void *state) {
  forget(id);
  planned *grown = realloc(tables, (table_count + 1) * sizeof *tables);
  if (grown == NULL) abort();
  tables = grown;
  planned *known = &tables[table_count++];
  *known = (planned){.id = id, .state = state, .read_count = plan->read_count};
  known->reads = allocated(plan->read_count, sizeof *known->reads);
  for (size_t i = 0; i < plan->read_count; i++) known->reads[i] = plan->table->fields[plan->reads[i]].type;
  known->computed_count = plan->slots;
  known->computed = allocated(plan->slots, sizeof *known->computed);
  for (size_t i = 0; i < plan->output_count; i++)
    if (plan->outputs[i].source == SLUICE_FROM_COMPUTED) known->computed[plan->outputs[i].at] = plan->outputs[i].type;
}

static void free_texts(char **texts, size_t count) {
  for (size_t i = 0; i < count; i++) free(texts[i]);
  free(texts);
}

static void free_plan(sluice_plan *plan) {
  for (size_t i = 0; i < plan->output_count; i++) {
    free(plan->outputs[i].name);
    free(plan->outputs[i].text);
  }
  free(plan->outputs);
  free_texts(plan->order, plan->order_count);
  free_texts(plan->ids, plan->id_count);
  free_texts(plan->route, plan->route_count * 2);
  free_texts(plan->properties, plan->property_count * 2);
  free(plan->reads);
  free(plan->mistakes.ptr);
  free(plan->id_columns);
}

bool WIRE(plan)(uint32_t id, WIRE(table_schema_t) * schema, WIRE(table_decision_t) * ret, WIRE(failure_t) * err) {
  sluice_failure failure = {{0}, {0}};
  sluice_table table = table_of(schema);
  sluice_plan plan;
  sluice_plan_start(&plan, &table);
  void *state = NULL;
  bool planned = is_configured ? sluice_export.plan(self, &table, &plan, &state, &failure)
                               : sluice_fail(&failure, "not-configured", "the plugin was not configured");
  planned = planned && sluice_plan_finish(&plan, &failure);
  if (planned) {
    ret->tag = plan.decision;
    if (plan.decision == SLUICE_APPLY) {
      wire_plan(&ret->val.apply, &plan);
      remember(id, &plan, state);
    } else {
      free(state);
    }
  } else {
    wire_failure(err, &failure);
    free(state);
  }
  free_plan(&plan);
  for (size_t i = 0; i < table.field_count; i++) free((void *)table.fields[i].properties);
  free((void *)table.fields);
  free((void *)table.route);
  free((void *)table.properties);
  WIRE(table_schema_free)(schema);
  return planned;
}

static void wire_bytes(transformer_list_u8_t *out, sluice_buffer *from) {
  *out = (transformer_list_u8_t){from->len > 0 ? from->ptr : (uint8_t *)&nowhere, from->len};
  if (from->len == 0) free(from->ptr);
}

static void wire_edit(WIRE(edit_t) * out, sluice_edit *edit) {
  memset(out, 0, sizeof *out);
  out->keep.is_some = edit->keep != NULL;
  if (edit->keep != NULL) out->keep.val = (transformer_list_u8_t){edit->keep, (edit->rows + 7) / 8};
  out->computed.ptr = wire_list(edit->column_count, sizeof *out->computed.ptr);
  out->computed.len = edit->column_count;
  for (size_t i = 0; i < edit->column_count; i++) {
    sluice_builder *built = edit->columns[i];
    out->computed.ptr[i].validity.is_some = built->has_nulls;
    if (built->has_nulls) wire_bytes(&out->computed.ptr[i].validity.val, &built->validity);
    wire_bytes(&out->computed.ptr[i].offsets, &built->offsets);
    wire_bytes(&out->computed.ptr[i].data, &built->data);
    free(built);
  }
  free(edit->columns);
  sluice_route *routes = (sluice_route *)edit->routes.ptr;
  size_t route_count = edit->routes.len / sizeof *routes;
  out->routing.is_some = route_count > 0;
  if (route_count > 0) {
    out->routing.val.routes.ptr = wire_list(route_count, sizeof *out->routing.val.routes.ptr);
    out->routing.val.routes.len = route_count;
    for (size_t i = 0; i < route_count; i++) {
      // The SDK's copies become the bindings': both are a pointer and a length, from malloc.
      out->routing.val.routes.ptr[i].ptr = (void *)routes[i].variables;
      out->routing.val.routes.ptr[i].len = routes[i].count;
    }
    wire_bytes(&out->routing.val.rows, &edit->route_rows);
  }
  free(routes);
  const sluice_rejection *rejected = (const sluice_rejection *)edit->rejections.ptr;
  out->rejected.len = edit->rejections.len / sizeof *rejected;
  out->rejected.ptr = wire_list(out->rejected.len, sizeof *out->rejected.ptr);
  for (size_t i = 0; i < out->rejected.len; i++) {
    out->rejected.ptr[i].row = (uint32_t)rejected[i].row;
    wire_failure(&out->rejected.ptr[i].failure, &rejected[i].failure);
  }
  free(edit->rejections.ptr);
}

static bool process(const planned *known, uint32_t rows, WIRE(list_column_t) * from, sluice_edit *edit,
                    sluice_failure *failure) {
  if (known == NULL) return sluice_fail(failure, "not-planned", "the table has no plan");
  if (from->len != known->read_count || sluice_export.process == NULL)
    return sluice_fail(failure, "column-count", "the plan reads %zu columns, %zu came", known->read_count, from->len);
  sluice_column *columns = allocated(from->len, sizeof *columns);
  bool done = true;
  for (size_t i = 0; done && i < from->len; i++) {
    const sluice_transform_types_column_t *raw = &from->ptr[i];
    columns[i] = (sluice_column){rows, known->reads[i], raw->validity.is_some ? raw->validity.val.ptr : NULL,
                                 raw->offsets.ptr, raw->data.ptr};
    size_t validity = raw->validity.is_some ? raw->validity.val.len : 0;
    done = sluice_column_check(&columns[i], validity, raw->offsets.len, raw->data.len, failure);
  }
  sluice_batch batch = {rows, columns, from->len};
  done = done && sluice_export.process(self, known->state, &batch, edit, failure);
  done = done && sluice_edit_finish(edit, known->computed, known->computed_count, failure);
  free(columns);
  return done;
}

bool WIRE(process)(uint32_t id, uint32_t rows, WIRE(list_column_t) * columns, WIRE(edit_t) * ret,
                   WIRE(failure_t) * err) {
  sluice_failure failure = {{0}, {0}};
  const planned *known = NULL;
  for (size_t i = 0; i < table_count; i++)
    if (tables[i].id == id) known = &tables[i];
  sluice_edit edit = {.rows = rows};
  bool done = process(known, rows, columns, &edit, &failure);
  // A failure ends the pipeline, and the instance with it: what the edit holds then is not freed.
  if (done) {
    wire_edit(ret, &edit);
  } else {
    wire_failure(err, &failure);
  }
  WIRE(list_column_free)(columns);
  return done;
}

void WIRE(release)(uint32_t id) { forget(id); }
