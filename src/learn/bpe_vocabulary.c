/* Words from the vocabulary of another model. A training text of one kind (old novels, say) lacks the
 * words of others; a sentence encoder's vocabulary is a list of common words, the commonest first. */
#include <ctype.h>
#include <string.h>

#include <gguf.h>

#include "base/error.h"
#include "base/text.h"
#include "learn/bpe.h"
#include "learn/gguf_file.h"

/* How llama.cpp writes a token that begins a word: U+2581. */
static const char WORD_BEGIN[] = "\xe2\x96\x81";

/* Zipf's law: a word of this rank counts as so many occurrences. The offset keeps the first few
 * from drowning the training texts. */
static uint64_t times_of_rank(size_t rank)
{
    return 600000 / (rank + 1000);
}

/* The word of a token, or NULL: fragments, marks and single letters are none. */
static const char *whole_word(const char *token)
{
    if (strncmp(token, WORD_BEGIN, sizeof WORD_BEGIN - 1) != 0) return NULL;
    const char *word = token + sizeof WORD_BEGIN - 1;
    const size_t length = strlen(word);
    for (size_t i = 0; i < length; i++)
        if (word[i] < 'a' || word[i] > 'z') return NULL;
    return length >= 2 ? word : NULL;
}

static icl_status feed_word(icl_bpe_trainer *trainer, icl_text *scratch, const char *word,
                            uint64_t times)
{
    enum { CAPITALISED_SHARE = 3 };
    scratch->length = 0;
    icl_text_printf(scratch, " %s", word);
    ICL_TRY(icl_text_status(scratch));
    ICL_TRY(icl_bpe_trainer_feed(trainer, scratch->bytes, scratch->length, times));
    scratch->bytes[1] = (char)toupper((unsigned char)scratch->bytes[1]);
    return icl_bpe_trainer_feed(trainer, scratch->bytes, scratch->length,
                                (times + CAPITALISED_SHARE - 1) / CAPITALISED_SHARE);
}

icl_status icl_bpe_trainer_feed_vocabulary(icl_bpe_trainer *trainer, const char *path)
{
    struct gguf_context *gguf = NULL;
    icl_text scratch = { 0 };
    ICL_TRY(icl_gguf_open(&gguf, path));
    icl_status status = ICL_OK;
    size_t rank = 0;
    const int64_t key = gguf_find_key(gguf, "tokenizer.ggml.tokens");
    const bool has_tokens = key >= 0 && gguf_get_kv_type(gguf, key) == GGUF_TYPE_ARRAY &&
                            gguf_get_arr_type(gguf, key) == GGUF_TYPE_STRING;
    const size_t count = has_tokens ? gguf_get_arr_n(gguf, key) : 0;
    for (size_t i = 0; status == ICL_OK && i < count; i++) {
        const char *word = whole_word(gguf_get_arr_str(gguf, key, i));
        if (word == NULL) continue;
        status = feed_word(trainer, &scratch, word, times_of_rank(rank));
        rank++;
    }
    if (status == ICL_OK && rank == 0)
        status = icl_error_set(ICL_EUNSUPPORTED, "%s: its vocabulary has no whole words", path);
    gguf_free(gguf);
    icl_text_deinit(&scratch);
    return status;
}
