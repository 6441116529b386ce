/* base/hash.h - 128-bit content hashes (XXH3) for cache keys, spec hashes and file identity. */
#ifndef ICL_BASE_HASH_H
#define ICL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

typedef struct icl_hash128 {
    uint64_t low, high;
} icl_hash128;

typedef struct icl_hash_state {
    /* Room for XXH3's streaming state, aligned as it wants. */
    _Alignas(64) unsigned char opaque[640];
} icl_hash_state;

icl_hash128 icl_hash(const void *bytes, size_t length);
void icl_hash_begin(icl_hash_state *state);
void icl_hash_add(icl_hash_state *state, const void *bytes, size_t length);
icl_hash128 icl_hash_end(const icl_hash_state *state);

/* 32 lower-case hexadecimal digits and NUL. */
void icl_hash_hex(char out[33], icl_hash128 hash);

/* Hash of a file's bytes; ICL_EIO names the path. */
icl_status icl_hash_file(icl_hash128 *out, const char *path);

#endif
