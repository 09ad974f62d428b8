// SHA-256 (FIPS 180-4), for the example: WebAssembly has no library of its own.
#ifndef SHA256_H
#define SHA256_H
#include <stddef.h>
#include <stdint.h>

typedef struct sha256 {
  uint32_t state[8];
  uint64_t bytes;
  uint8_t block[64];
} sha256;

void sha256_start(sha256 *hash);
void sha256_add(sha256 *hash, const void *bytes, size_t len);
// 64 hexadecimal digits, without a zero behind them.
void sha256_hex(sha256 *hash, char digits[64]);
#endif
