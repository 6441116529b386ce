#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/hash.h"

void icl_philox4x32_10(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        const uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

icl_rng icl_rng_new(uint64_t seed, const char *task, const char *document_id, const char *purpose)
{
    /* A length before each string keeps ("ab","c") and ("a","bc") apart. */
    icl_hash_state state;
    icl_hash_begin(&state);
    const char *parts[] = { task, document_id, purpose };
    for (size_t i = 0; i < 3; i++) {
        const char *part = parts[i] == NULL ? "" : parts[i];
        const uint64_t length = strlen(part);
        icl_hash_add(&state, &length, sizeof length);
        icl_hash_add(&state, part, (size_t)length);
    }
    const icl_hash128 stream = icl_hash_end(&state);
    return (icl_rng){ .key = { (uint32_t)seed, (uint32_t)(seed >> 32) },
                      /* words 0..1 count blocks, words 2..3 name the stream */
                      .counter = { 0, (uint32_t)(stream.high & 0xFFFF0000u), (uint32_t)stream.low,
                                   (uint32_t)(stream.low >> 32) },
                      .used = 4 };
}

uint32_t icl_rng_u32(icl_rng *rng)
{
    if (rng->used == 4) {
        icl_philox4x32_10(rng->block, rng->counter, rng->key);
        if (++rng->counter[0] == 0) rng->counter[1]++;
        rng->used = 0;
    }
    return rng->block[rng->used++];
}

size_t icl_rng_below(icl_rng *rng, size_t bound)
{
    assert(bound > 0);
    /* Reject the tail that would favour small values. */
    const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    for (;;) {
        const uint64_t high = icl_rng_u32(rng);
        const uint64_t value = high << 32 | icl_rng_u32(rng);
        if (value < limit) return (size_t)(value % bound);
    }
}

double icl_rng_unit(icl_rng *rng)
{
    const uint64_t high = icl_rng_u32(rng) >> 5, low = icl_rng_u32(rng) >> 6;
    return (double)(high << 26 | low) / 9007199254740992.0;
}

double icl_rng_normal(icl_rng *rng)
{
    const double radius = sqrt(-2.0 * log(1.0 - icl_rng_unit(rng)));
    return radius * cos(6.283185307179586 * icl_rng_unit(rng));
}

void icl_rng_shuffle(icl_rng *rng, size_t *items, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        const size_t j = icl_rng_below(rng, i);
        const size_t kept = items[i - 1];
        items[i - 1] = items[j];
        items[j] = kept;
    }
}
