#include "learn/bpe_model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "base/quote.h"

/* ---- lists of tokens ---- */

void icl_tokens_deinit(icl_tokens *tokens)
{
    free(tokens->items);
    *tokens = (icl_tokens){ 0 };
}

icl_status icl_tokens_push(icl_tokens *tokens, int32_t token)
{
    ICL_TRY(icl_array_reserve(&tokens->items, &tokens->capacity, tokens->count + 1));
    tokens->items[tokens->count++] = token;
    return ICL_OK;
}

/* ---- bytes as printable characters (Radford et al. 2019) ---- */

static bool prints(int byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

/* A byte that prints is written as itself, the others in turn from U+0100 on. */
static void fill_byte_spellings(icl_bpe *bpe)
{
    int shifted = 0x100;
    for (int code = 0; code < ICL_BPE_CODES; code++) bpe->byte_of_code[code] = -1;
    for (int byte = 0; byte < 256; byte++) {
        const int code = prints(byte) ? byte : shifted++;
        char *spelling = bpe->byte_spellings[byte];
        spelling[0] = (char)(code < 0x80 ? code : (0xC0 | code >> 6));
        spelling[1] = (char)(code < 0x80 ? '\0' : (0x80 | (code & 0x3F)));
        bpe->byte_of_code[code] = (int16_t)byte;
        bpe->byte_ids[byte] = -1;
    }
    assert(shifted == ICL_BPE_CODES);
}

/* Writes the bytes that a spelling stands for, at most `length` of them. Returns their number, or
 * SIZE_MAX when some character stands for none. */
static size_t unspell(const icl_bpe *bpe, char *out, const char *spelling, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        int code = (unsigned char)spelling[i];
        if (code >= 0x80) {
            if (i + 1 == length) return SIZE_MAX;
            code = (code & 0x1F) << 6 | ((unsigned char)spelling[++i] & 0x3F);
        }
        if (code >= ICL_BPE_CODES || bpe->byte_of_code[code] < 0) return SIZE_MAX;
        out[count++] = (char)bpe->byte_of_code[code];
    }
    return count;
}

icl_status icl_bpe_check_text(const char *text, size_t length)
{
    const size_t valid = icl_utf8_valid_length(text, length);
    if (valid < length)
        return icl_error_set(ICL_EPARSE, "the text is not UTF-8 at byte %zu (0x%02X)", valid,
                             (unsigned)(unsigned char)text[valid]);
    return ICL_OK;
}

/* ---- making ---- */

icl_status icl_bpe_new(icl_bpe **out)
{
    icl_bpe *bpe = calloc(1, sizeof *bpe);
    if (bpe == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a tokenizer");
    bpe->end_of_text = bpe->padding = -1;
    bpe->adds_bos = true;
    fill_byte_spellings(bpe);
    *out = bpe;
    return ICL_OK;
}

void icl_bpe_free(icl_bpe *bpe)
{
    if (bpe == NULL) return;
    icl_word_table_deinit(&bpe->spellings);
    icl_word_table_deinit(&bpe->whole);
    icl_pair_table_deinit(&bpe->ranks);
    free(bpe->pieces);
    free(bpe->piece_ends);
    free(bpe->special);
    free(bpe->merges);
    free(bpe->merged);
    free(bpe->whole_ids);
    free(bpe);
}

icl_status icl_bpe_add_token(icl_bpe *bpe, const char *spelling, size_t length, bool special)
{
    char shown[ICL_QUOTE_BYTES];
    const size_t token = bpe->spellings.count;
    ICL_TRY(icl_array_reserve(&bpe->pieces, &bpe->piece_capacity, bpe->piece_bytes + length + 1));
    ICL_TRY(icl_array_reserve(&bpe->piece_ends, &bpe->end_capacity, token + 1));
    ICL_TRY(icl_array_reserve(&bpe->special, &bpe->special_capacity, token + 1));
    char *piece = bpe->pieces + bpe->piece_bytes;
    size_t piece_length = unspell(bpe, piece, spelling, length);
    if (length == 0 || (piece_length == SIZE_MAX && !special))
        return icl_error_set(ICL_EPARSE, "token %zu, %s, is no byte-level spelling", token,
                             icl_quote(shown, spelling, length));
    const int byte = piece_length == 1 ? (unsigned char)piece[0] : -1;
    if (special) memcpy(piece, spelling, piece_length = length);

    size_t index = 0;
    ICL_TRY(icl_word_table_add(&index, &bpe->spellings, spelling, length));
    if (index != token)
        return icl_error_set(ICL_EINVAL, "token %s stands in the vocabulary twice, %zu and %zu",
                             icl_quote(shown, spelling, length), index, token);
    if (byte >= 0) bpe->byte_ids[byte] = (int32_t)token;
    bpe->piece_bytes += piece_length;
    bpe->piece_ends[token] = bpe->piece_bytes;
    bpe->special[token] = special;
    return ICL_OK;
}

icl_status icl_bpe_add_merge(icl_bpe *bpe, icl_pair pair, int32_t merged)
{
    ICL_TRY(icl_array_reserve(&bpe->merges, &bpe->merge_capacity, bpe->merge_count + 1));
    ICL_TRY(icl_array_reserve(&bpe->merged, &bpe->merged_capacity, bpe->merge_count + 1));
    bpe->merges[bpe->merge_count] = pair;
    bpe->merged[bpe->merge_count++] = merged;
    return ICL_OK;
}

int32_t icl_bpe_joined(const icl_bpe *bpe, icl_pair pair, icl_text *scratch)
{
    size_t left_length = 0, right_length = 0;
    const char *left = icl_word_table_at(&bpe->spellings, (size_t)pair.left, &left_length);
    const char *right = icl_word_table_at(&bpe->spellings, (size_t)pair.right, &right_length);
    icl_text_clear(scratch);
    icl_text_append(scratch, left, left_length);
    icl_text_append(scratch, right, right_length);
    if (scratch->failed) return -1;
    const size_t found = icl_word_table_find(&bpe->spellings, scratch->bytes, scratch->length);
    return found == SIZE_MAX ? -1 : (int32_t)found;
}

/* A pair that was merged twice counts by its last rank; its earlier one is dropped. */
static icl_status rank_merges(icl_bpe *bpe)
{
    for (size_t i = 0; i < bpe->merge_count; i++) {
        uint32_t *rank = icl_pair_table_at(&bpe->ranks, bpe->merges[i], 0);
        if (rank == NULL) return ICL_ENOMEM;
        *rank = (uint32_t)i;
    }
    size_t kept = 0;
    for (size_t i = 0; i < bpe->merge_count; i++) {
        uint32_t *rank = icl_pair_table_at(&bpe->ranks, bpe->merges[i], 0);
        if (rank == NULL) return ICL_ENOMEM;
        if (*rank != i) continue;
        *rank = (uint32_t)kept;
        bpe->merges[kept] = bpe->merges[i];
        bpe->merged[kept++] = bpe->merged[i];
    }
    bpe->merge_count = kept;
    return ICL_OK;
}

/* Most words of a text are one token; those need no merging. */
static icl_status collect_whole_words(icl_bpe *bpe)
{
    icl_tokens ids = { 0 };
    icl_word_table whole = { 0 };
    icl_status status = ICL_OK;
    for (int32_t token = 0; status == ICL_OK && (size_t)token < bpe->spellings.count; token++) {
        size_t length = 0, index = 0;
        const char *piece = icl_bpe_piece(bpe, token, &length);
        ids.count = 0;
        status = icl_bpe_encode_word(bpe, piece, length, &ids);
        if (status != ICL_OK || ids.count != 1) continue;
        status = icl_word_table_add(&index, &whole, piece, length);
        if (status == ICL_OK)
            status = icl_array_reserve(&bpe->whole_ids, &bpe->whole_capacity, whole.count);
        if (status == ICL_OK) bpe->whole_ids[index] = ids.items[0];
    }
    icl_tokens_deinit(&ids);
    bpe->whole = whole;
    return status;
}

icl_status icl_bpe_finish(icl_bpe *bpe)
{
    for (int byte = 0; byte < 256; byte++)
        if (bpe->byte_ids[byte] < 0)
            return icl_error_set(ICL_EINVAL, "the vocabulary has no token for byte 0x%02X",
                                 (unsigned)byte);
    ICL_TRY(rank_merges(bpe));
    return collect_whole_words(bpe);
}

/* ---- what it holds ---- */

size_t icl_bpe_vocab_count(const icl_bpe *bpe)
{
    return bpe->spellings.count;
}

size_t icl_bpe_merge_count(const icl_bpe *bpe)
{
    return bpe->merge_count;
}

int32_t icl_bpe_end_of_text(const icl_bpe *bpe)
{
    return bpe->end_of_text;
}

const char *icl_bpe_piece(const icl_bpe *bpe, int32_t token, size_t *out_length)
{
    assert(token >= 0 && (size_t)token < bpe->spellings.count);
    const size_t start = token == 0 ? 0 : bpe->piece_ends[token - 1];
    *out_length = bpe->piece_ends[token] - start;
    return bpe->pieces + start;
}

bool icl_bpe_is_special(const icl_bpe *bpe, int32_t token)
{
    assert(token >= 0 && (size_t)token < bpe->spellings.count);
    return bpe->special[token];
}

void icl_bpe_merge(const icl_bpe *bpe, size_t index, int32_t out_pair[2])
{
    assert(index < bpe->merge_count);
    out_pair[0] = bpe->merges[index].left;
    out_pair[1] = bpe->merges[index].right;
}
