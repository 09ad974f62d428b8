// Unit tests of the SDK, native: no host and no WebAssembly. Prints what failed; the exit code says whether something did.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice_internal.h"

static int failed;

#define CHECK(that)                                            \
  do {                                                         \
    if (!(that)) {                                             \
      printf("%s:%d: %s\n", __FILE__, __LINE__, #that);        \
      failed++;                                                \
    }                                                          \
  } while (0)

void sluice_write_log(sluice_level level, const char *text, size_t len) { (void)level, (void)text, (void)len; }

static const sluice_field FIELDS[] = {
    {{"id", 2}, {SLUICE_INT64, 0, 0}, false, {"bigint", 6}, NULL, 0},
    {{"qty", 3}, {SLUICE_INT32, 0, 0}, true, {"int", 3}, NULL, 0},
    {{"region", 6}, {SLUICE_UTF8, 0, 0}, true, {"varchar", 7}, NULL, 0},
};
static const uint32_t IDS[] = {0};
static const sluice_table ORDERS = {
    .database = {"shop", 4}, .table = {"orders", 6}, .fields = FIELDS, .field_count = 3, .id_columns = {true, IDS, 1}};

static void every_mistake_of_a_plan_is_told_at_once(void) {
  sluice_plan plan;
  sluice_failure failure;
  sluice_plan_start(&plan, &ORDERS);
  sluice_plan_rename(&plan, "quantity", "x");
  sluice_plan_drop(&plan, "id");
  sluice_plan_rename(&plan, "qty", "REGION");
  sluice_plan_order(&plan, "gone");
  CHECK(!sluice_plan_finish(&plan, &failure));
  CHECK(strcmp(failure.code, "plan") == 0);
  CHECK(strcmp(failure.detail,
               "table shop.orders has no column `quantity` (it has: id, qty, region); order names `gone`, which the output "
               "of shop.orders has not (it has: REGION, region); the output has both `REGION` and `region`: names must "
               "differ by more than case; the id column `id` does not reach the output: keep it or name other id columns") ==
        0);
}

static void a_plan_that_changes_nothing_has_no_output(void) {
  sluice_plan plan;
  sluice_failure failure;
  sluice_plan_start(&plan, &ORDERS);
  CHECK(sluice_plan_finish(&plan, &failure) && plan.is_unchanged && !plan.has_process);
  sluice_plan_start(&plan, &ORDERS);
  sluice_plan_order(&plan, "region");
  sluice_plan_order(&plan, "id");
  CHECK(sluice_plan_finish(&plan, &failure) && !plan.is_unchanged);
  CHECK(plan.outputs[0].at == 2 && plan.outputs[1].at == 0 && plan.outputs[2].at == 1);
}

static sluice_column view(const sluice_builder *built) {
  return (sluice_column){built->rows, built->type, built->has_nulls ? built->validity.ptr : NULL, built->offsets.ptr,
                         built->data.ptr};
}

static void what_was_pushed_is_read_back(void) {
  sluice_edit edit = {.rows = 10};
  sluice_builder *texts = sluice_edit_column(&edit, SLUICE_TYPE(SLUICE_UTF8));
  sluice_push_bytes(texts, "a", 1);
  sluice_push_null(texts);
  sluice_push_bytes(texts, "", 0);
  sluice_column column = view(texts);
  sluice_bytes text;
  CHECK(sluice_get_bytes(&column, 0, &text) && sluice_equal(text, sluice_text("a")));
  CHECK(!sluice_get_bytes(&column, 1, &text) && sluice_get_bytes(&column, 2, &text) && text.len == 0);
  CHECK(!sluice_get_bytes(&column, 3, &text));
  sluice_builder *bits = sluice_edit_column(&edit, SLUICE_TYPE(SLUICE_BOOLEAN));
  for (int row = 0; row < 9; row++) sluice_push_bool(bits, row == 8);
  sluice_push_null(bits);
  column = view(bits);
  bool bit;
  CHECK(sluice_get_bool(&column, 8, &bit) && bit && sluice_get_bool(&column, 0, &bit) && !bit);
  CHECK(!sluice_get_bool(&column, 9, &bit));
  sluice_builder *small = sluice_edit_column(&edit, SLUICE_TYPE(SLUICE_INT8));
  sluice_push_i64(small, -3);
  column = view(small);
  int64_t number;
  uint64_t positive;
  CHECK(sluice_get_i64(&column, 0, &number) && number == -3 && !sluice_get_u64(&column, 0, &positive));
}

static void an_edit_that_does_not_fit_is_named(void) {
  sluice_edit edit = {.rows = 2};
  sluice_failure failure;
  sluice_type planned = SLUICE_TYPE(SLUICE_INT8);
  CHECK(!sluice_edit_finish(&edit, &planned, 1, &failure));
  CHECK(strcmp(failure.detail, "the plan computes 1 columns, the edit has 0") == 0);
  sluice_push_i64(sluice_edit_column(&edit, SLUICE_TYPE(SLUICE_INT8)), 1);
  CHECK(!sluice_edit_finish(&edit, &planned, 1, &failure));
  CHECK(strcmp(failure.detail, "computed column 0 is int8 with 1 rows, planned is int8 with 2") == 0);
  sluice_edit_reject(&edit, 1, "Second!", "x");
  sluice_edit_reject(&edit, 0, "first", "x");
  sluice_edit_reject(&edit, 1, "third", "x");
  sluice_push_i64(edit.columns[0], 2);
  CHECK(sluice_edit_finish(&edit, &planned, 1, &failure));
  const sluice_rejection *rejected = (const sluice_rejection *)edit.rejections.ptr;
  CHECK(edit.rejections.len == 2 * sizeof *rejected && rejected[0].row == 0);
  CHECK(strcmp(rejected[1].failure.code, "second-") == 0);
}

static void json_is_read_and_anything_else_refused(void) {
  const sluice_json *value =
      sluice_json_parse(sluice_text("{\"a\": [1, -2.5e1, true, null], \"b\\u00e9\": {\"c\": \"\\ud83d\\ude00\\n\"}}"));
  const sluice_json *list = sluice_json_get(value, "a"), *text = sluice_json_get(sluice_json_get(value, "b\xc3\xa9"), "c");
  CHECK(list != NULL && list->count == 4 && list->items[1].number == -25 && list->items[2].boolean);
  CHECK(text != NULL && sluice_equal(text->text, sluice_text("\xf0\x9f\x98\x80\n")));
  static const char *const WRONG[] = {"", "{", "[1,]", "{\"a\"}", "\"x", "tru", "1 2", "\"\\ud800\"", "--1"};
  for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) CHECK(sluice_json_parse(sluice_text(WRONG[i])) == NULL);
  char deep[200];
  memset(deep, '[', sizeof deep);
  CHECK(sluice_json_parse((sluice_bytes){deep, sizeof deep}) == NULL);
}

static void buffers_of_another_length_are_refused(void) {
  sluice_failure failure;
  uint32_t offsets[] = {0, 2, 1};
  sluice_column text = {2, SLUICE_TYPE(SLUICE_UTF8), NULL, (const uint8_t *)offsets, (const uint8_t *)"ab"};
  CHECK(!sluice_column_check(&text, 0, sizeof offsets, 2, &failure));
  offsets[1] = 1, offsets[2] = 2;
  CHECK(sluice_column_check(&text, 0, sizeof offsets, 2, &failure));
  CHECK(!sluice_column_check(&text, 0, sizeof offsets, 1, &failure));
  sluice_column number = {2, SLUICE_TYPE(SLUICE_INT32), NULL, NULL, NULL};
  CHECK(!sluice_column_check(&number, 0, 0, 7, &failure) && strcmp(failure.code, "column-length") == 0);
}

int main(void) {
  every_mistake_of_a_plan_is_told_at_once();
  a_plan_that_changes_nothing_has_no_output();
  what_was_pushed_is_read_back();
  an_edit_that_does_not_fit_is_named();
  json_is_read_and_anything_else_refused();
  buffers_of_another_length_are_refused();
  printf(failed ? "%d checks failed\n" : "all checks passed\n", failed);
  return failed > 0;
}
