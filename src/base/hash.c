#include "base/hash.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/error.h"

_Static_assert(sizeof(XXH3_state_t) <= sizeof(icl_hash_state), "XXH3 state outgrew its room");

static icl_hash128 from_xxh(XXH128_hash_t hash)
{
    return (icl_hash128){ .low = hash.low64, .high = hash.high64 };
}

icl_hash128 icl_hash(const void *bytes, size_t length)
{
    return from_xxh(XXH3_128bits(bytes, length));
}

void icl_hash_begin(icl_hash_state *state)
{
    XXH3_INITSTATE((XXH3_state_t *)state->opaque);
    XXH3_128bits_reset((XXH3_state_t *)state->opaque);
}

void icl_hash_add(icl_hash_state *state, const void *bytes, size_t length)
{
    XXH3_128bits_update((XXH3_state_t *)state->opaque, bytes, length);
}

icl_hash128 icl_hash_end(const icl_hash_state *state)
{
    return from_xxh(XXH3_128bits_digest((const XXH3_state_t *)state->opaque));
}

void icl_hash_hex(char out[33], icl_hash128 hash)
{
    snprintf(out, 33, "%016" PRIx64 "%016" PRIx64, hash.high, hash.low);
}

icl_status icl_hash_file(icl_hash128 *out, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return icl_error_set(ICL_EIO, "cannot open \"%s\": %s", path, strerror(errno));
    icl_hash_state state;
    icl_hash_begin(&state);
    enum { CHUNK_BYTES = 1 << 16 };
    unsigned char chunk[CHUNK_BYTES];
    size_t got;
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0) icl_hash_add(&state, chunk, got);
    const int failed = ferror(file);
    fclose(file);
    if (failed) return icl_error_set(ICL_EIO, "cannot read \"%s\"", path);
    *out = icl_hash_end(&state);
    return ICL_OK;
}
