// What the parts of the SDK share. No plugin includes it; unit tests may.
#ifndef SLUICE_INTERNAL_H
#define SLUICE_INTERNAL_H

#include "sluice.h"

// A growing list of bytes, from malloc.
typedef struct sluice_buffer {
  uint8_t *ptr;
  size_t len, room;
} sluice_buffer;

void *sluice_grow(sluice_buffer *buffer, size_t bytes);

enum { SLUICE_FROM_INPUT, SLUICE_FROM_CAST, SLUICE_FROM_COMPUTED, SLUICE_FROM_CONSTANT, SLUICE_FROM_METADATA };

typedef struct sluice_output {
  char *name;
  uint8_t source;
  // The field of an input or cast, the slot of a computed column.
  uint32_t at;
  sluice_type type;
  bool nullable;
  // A constant's text or a fact's name; NULL is NULL.
  char *text;
} sluice_output;

enum { SLUICE_EXCLUDE, SLUICE_PASS, SLUICE_APPLY };

struct sluice_plan {
  const sluice_table *table;
  uint8_t decision;
  sluice_output *outputs;
  size_t output_count, output_room;
  char **order;
  size_t order_count;
  char **ids;
  size_t id_count;
  uint32_t *reads;
  size_t read_count;
  bool has_process;
  uint32_t slots;
  // Pairs of texts.
  char **route, **properties;
  size_t route_count, property_count;
  sluice_buffer mistakes;
  // After sluice_plan_finish.
  bool is_unchanged;
  uint32_t *id_columns;
};

void sluice_plan_start(sluice_plan *plan, const sluice_table *table);
// Checks and resolves names; false with the code `plan` and every mistake.
bool sluice_plan_finish(sluice_plan *plan, sluice_failure *failure);

struct sluice_builder {
  sluice_type type;
  size_t rows;
  sluice_buffer validity, offsets, data;
  bool has_nulls;
};

typedef struct sluice_rejection {
  size_t row;
  sluice_failure failure;
} sluice_rejection;

typedef struct sluice_route {
  sluice_pair *variables;
  size_t count;
} sluice_route;

struct sluice_edit {
  size_t rows;
  uint8_t *keep;
  // At most as many as the plan has slots; stable addresses.
  sluice_builder **columns;
  size_t column_count;
  sluice_buffer rejections, routes, route_rows;
};

// Sorts rejections and checks lengths against the plan; false with the code `edit`.
bool sluice_edit_finish(sluice_edit *edit, const sluice_type *computed, size_t count, sluice_failure *failure);

struct sluice_problems {
  // Pairs of path and message.
  char **texts;
  size_t count;
};

char *sluice_copy(const char *text, size_t len);
void sluice_write_log(sluice_level level, const char *text, size_t len);
// Checks a column's lengths and offsets; false with the code `column-length`.
bool sluice_column_check(const sluice_column *column, size_t validity, size_t offsets, size_t data, sluice_failure *failure);

#endif
