// Reads the configuration's JSON into values that live as long as the instance. Depth is bounded.

#include "sluice_internal.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 64 };

typedef struct reader {
  const char *at, *end;
  int depth;
} reader;

static bool read_value(reader *in, sluice_json *value);

static void skip_space(reader *in) {
  while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r')) in->at++;
}

static bool take(reader *in, char wanted) {
  skip_space(in);
  if (in->at >= in->end || *in->at != wanted) return false;
  in->at++;
  return true;
}

static bool word(reader *in, const char *wanted) {
  size_t len = strlen(wanted);
  if ((size_t)(in->end - in->at) < len || memcmp(in->at, wanted, len) != 0) return false;
  in->at += len;
  return true;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static bool read_unit(reader *in, uint32_t *unit) {
  *unit = 0;
  for (int i = 0; i < 4; i++) {
    int digit = in->at < in->end ? hex_digit(*in->at++) : -1;
    if (digit < 0) return false;
    *unit = *unit << 4 | (uint32_t)digit;
  }
  return true;
}

static void push_char(sluice_buffer *text, uint32_t c) {
  if (c < 0x80) {
    *(char *)sluice_grow(text, 1) = (char)c;
  } else if (c < 0x800) {
    char *to = sluice_grow(text, 2);
    to[0] = (char)(0xC0 | c >> 6), to[1] = (char)(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    char *to = sluice_grow(text, 3);
    to[0] = (char)(0xE0 | c >> 12), to[1] = (char)(0x80 | (c >> 6 & 0x3F)), to[2] = (char)(0x80 | (c & 0x3F));
  } else {
    char *to = sluice_grow(text, 4);
    to[0] = (char)(0xF0 | c >> 18), to[1] = (char)(0x80 | (c >> 12 & 0x3F));
    to[2] = (char)(0x80 | (c >> 6 & 0x3F)), to[3] = (char)(0x80 | (c & 0x3F));
  }
}

static bool read_escape(reader *in, sluice_buffer *text) {
  static const char FROM[] = "\"\\/bfnrt", TO[] = "\"\\/\b\f\n\r\t";
  if (in->at >= in->end) return false;
  char c = *in->at++;
  if (c == 'u') {
    uint32_t unit, low;
    if (!read_unit(in, &unit)) return false;
    if (unit >= 0xD800 && unit < 0xDC00) {
      if (!word(in, "\\u") || !read_unit(in, &low) || low < 0xDC00 || low > 0xDFFF) return false;
      unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
    push_char(text, unit);
    return true;
  }
  const char *found = c == 0 ? NULL : strchr(FROM, c);
  if (found == NULL) return false;
  push_char(text, (uint8_t)TO[found - FROM]);
  return true;
}

static bool read_text(reader *in, sluice_bytes *text) {
  if (!take(in, '"')) return false;
  sluice_buffer out = {0};
  // So that an empty text has an address, and every text ends with a zero.
  while (in->at < in->end && *in->at != '"') {
    char c = *in->at++;
    if (c != '\\') {
      *(char *)sluice_grow(&out, 1) = c;
    } else if (!read_escape(in, &out)) {
      return false;
    }
  }
  if (in->at >= in->end) return false;
  in->at++;
  *(char *)sluice_grow(&out, 1) = 0;
  *text = (sluice_bytes){(const char *)out.ptr, out.len - 1};
  return true;
}

static bool read_items(reader *in, sluice_json *value, char end) {
  if (take(in, end)) return true;
  do {
    value->items = realloc(value->items, (value->count + 1) * sizeof *value->items);
    value->keys = realloc(value->keys, (value->count + 1) * sizeof *value->keys);
    if (value->items == NULL || value->keys == NULL) abort();
    sluice_json *item = &value->items[value->count];
    *item = (sluice_json){0};
    if (end == '}' && (!read_text(in, &value->keys[value->count]) || !take(in, ':'))) return false;
    if (!read_value(in, item)) return false;
    value->count++;
  } while (take(in, ','));
  return take(in, end);
}

static bool read_number(reader *in, sluice_json *value) {
  const char *start = in->at;
  while (in->at < in->end && strchr("+-.0123456789eE", *in->at) != NULL && *in->at != 0) in->at++;
  char *copy = sluice_copy(start, (size_t)(in->at - start)), *rest;
  value->kind = SLUICE_JSON_NUMBER;
  value->text = sluice_text(copy);
  value->number = strtod(copy, &rest);
  return rest != copy && *rest == 0;
}

static bool read_value(reader *in, sluice_json *value) {
  skip_space(in);
  if (in->at >= in->end || in->depth >= DEPTH_MAX) return false;
  in->depth++;
  bool read = true;
  switch (*in->at) {
    case '{':
      in->at++;
      value->kind = SLUICE_JSON_OBJECT;
      read = read_items(in, value, '}');
      break;
    case '[':
      in->at++;
      value->kind = SLUICE_JSON_LIST;
      read = read_items(in, value, ']');
      break;
    case '"':
      value->kind = SLUICE_JSON_TEXT;
      read = read_text(in, &value->text);
      break;
    case 't':
      value->kind = SLUICE_JSON_BOOL;
      value->boolean = true;
      read = word(in, "true");
      break;
    case 'f':
      value->kind = SLUICE_JSON_BOOL;
      read = word(in, "false");
      break;
    case 'n':
      read = word(in, "null");
      break;
    default:
      read = read_number(in, value);
  }
  in->depth--;
  return read;
}

const sluice_json *sluice_json_parse(sluice_bytes text) {
  reader in = {text.ptr, text.ptr + text.len, 0};
  sluice_json *value = calloc(1, sizeof *value);
  if (value == NULL) abort();
  if (!read_value(&in, value)) return NULL;
  skip_space(&in);
  return in.at == in.end ? value : NULL;
}

const sluice_json *sluice_json_get(const sluice_json *value, const char *key) {
  if (value == NULL || value->kind != SLUICE_JSON_OBJECT) return NULL;
  for (size_t at = 0; at < value->count; at++)
    if (sluice_equal(value->keys[at], sluice_text(key))) return &value->items[at];
  return NULL;
}
