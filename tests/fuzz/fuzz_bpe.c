/* Hazards: words that never end, merges of overlapping pairs, tokens reached in two ways, bytes
 * that are no text. Half of the input trains, the other half is encoded; words tile the text,
 * encoding by words equals encoding at once, and pieces join to the text. */
#undef NDEBUG /* the checks are the point, in any build */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"
#include "learn/bpe_model.h"
#include "learn/bpe_split.h"

static icl_bpe *train(const char *text, size_t length, size_t merge_count)
{
    const icl_bpe_options options = { .vocab_count = 257 + merge_count, .pair_count_min = 1 };
    icl_bpe_trainer *trainer = NULL;
    icl_bpe *bpe = NULL;
    assert(icl_bpe_trainer_new(&trainer) == ICL_OK);
    const icl_status status = icl_bpe_trainer_feed(trainer, text, length, 1);
    assert((status == ICL_OK) == (icl_utf8_valid_length(text, length) == length));
    if (status == ICL_OK) assert(icl_bpe_train(&bpe, trainer, &options) == ICL_OK);
    icl_bpe_trainer_free(trainer);
    return bpe;
}

static void check_encoding(const icl_bpe *bpe, const char *text, size_t length)
{
    icl_tokens ids = { 0 }, by_words = { 0 };
    icl_text joined = { 0 };
    assert(icl_bpe_encode(bpe, text, length, &ids) == ICL_OK);
    for (size_t at = 0, end; at < length; at = end) {
        end = icl_bpe_word_end(text, length, at);
        assert(end > at && end <= length);
        assert(icl_bpe_encode_word(bpe, text + at, end - at, &by_words) == ICL_OK);
    }
    assert(ids.count == by_words.count);
    for (size_t i = 0; i < ids.count; i++) {
        size_t piece_length = 0;
        assert(ids.items[i] == by_words.items[i]);
        const char *piece = icl_bpe_piece(bpe, ids.items[i], &piece_length);
        icl_text_append(&joined, piece, piece_length);
    }
    assert(joined.length == length && memcmp(icl_text_string(&joined), text, length) == 0);
    icl_text_deinit(&joined);
    icl_tokens_deinit(&ids);
    icl_tokens_deinit(&by_words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    const char *text = (const char *)data + 1;
    const size_t half = (size - 1) / 2, rest = size - 1 - half;
    icl_bpe *bpe = train(text, half, data[0]);
    if (bpe != NULL && icl_utf8_valid_length(text + half, rest) == rest)
        check_encoding(bpe, text + half, rest);
    icl_bpe_free(bpe);
    return 0;
}
