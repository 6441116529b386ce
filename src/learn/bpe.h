/* learn/bpe.h - byte-level BPE: training a tokenizer (Sennrich et al. 2016; Radford et al. 2019).
 *
 *   icl_bpe_trainer *trainer = NULL;
 *   icl_bpe_trainer_new(&trainer);
 *   icl_bpe_trainer_feed(trainer, text, length, 1);     (any number of times)
 *   icl_bpe *bpe = NULL;
 *   status = icl_bpe_train(&bpe, trainer, &options);
 *   icl_bpe_encode(bpe, text, length, &tokens);
 *
 * Text is split as GPT-2 does; merges are those of the PyPI package `tokenizers` (byte-level,
 * full byte alphabet) on the same text.
 */
#ifndef ICL_LEARN_BPE_H
#define ICL_LEARN_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

typedef struct icl_bpe icl_bpe;
typedef struct icl_bpe_trainer icl_bpe_trainer;

typedef struct icl_bpe_options {
    size_t vocab_count;               /* with specials and the 256 bytes */
    uint64_t pair_count_min;          /* a pair seen less often is not merged; 0: 2 */
    const char *const *specials;      /* NULL-terminated; they get the first ids. NULL: one,
                                         "<|endoftext|>", id 0, BOS and EOS */
} icl_bpe_options;

typedef struct icl_tokens { /* growing list of ids; free with icl_tokens_deinit */
    int32_t *items;
    size_t count, capacity;
} icl_tokens;
void icl_tokens_deinit(icl_tokens *tokens);
icl_status icl_tokens_push(icl_tokens *tokens, int32_t token);

icl_status icl_bpe_trainer_new(icl_bpe_trainer **out);
void icl_bpe_trainer_free(icl_bpe_trainer *trainer);
/* Counts the words of a text `times` times. A text is split on its own: words do not join across
 * calls. ICL_EPARSE: not UTF-8. */
icl_status icl_bpe_trainer_feed(icl_bpe_trainer *trainer, const char *text, size_t length,
                                uint64_t times);
/* Counts the whole words of a sentence encoder's vocabulary (GGUF), in small letters and capitalised,
 * as Zipf's law says of their rank. ICL_EUNSUPPORTED: it has none. */
icl_status icl_bpe_trainer_feed_vocabulary(icl_bpe_trainer *trainer, const char *path);
/* ICL_EINVAL: vocab_count below 256 + specials. Fewer merges than asked when pairs run out. */
icl_status icl_bpe_train(icl_bpe **out, const icl_bpe_trainer *trainer,
                         const icl_bpe_options *options);

/* The tokenizer that a GGUF file carries (gpt2 model, gpt-2 split). ICL_EUNSUPPORTED names another
 * kind. */
icl_status icl_bpe_open_gguf(icl_bpe **out, const char *path);
void icl_bpe_free(icl_bpe *bpe);

size_t icl_bpe_vocab_count(const icl_bpe *bpe);
size_t icl_bpe_merge_count(const icl_bpe *bpe);
int32_t icl_bpe_end_of_text(const icl_bpe *bpe); /* BOS and EOS */
/* Bytes of a token (specials: their spelling). Borrowed, not NUL-terminated. */
const char *icl_bpe_piece(const icl_bpe *bpe, int32_t token, size_t *out_length);
bool icl_bpe_is_special(const icl_bpe *bpe, int32_t token);
/* Ids of the two sides of merge `index`, in order of rank. */
void icl_bpe_merge(const icl_bpe *bpe, size_t index, int32_t out_pair[2]);
/* Appends the ids of a text; specials are not recognised. */
icl_status icl_bpe_encode(const icl_bpe *bpe, const char *text, size_t length, icl_tokens *out);

#endif
