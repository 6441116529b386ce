/* icl/sys/model.h - what a model back end implements. The engine drives it with calls that name
 * sequences of one shared key/value cache; a back end never sees requests or tries. */
#ifndef ICL_SYS_MODEL_H
#define ICL_SYS_MODEL_H

#include <icl/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Size of the cache to hold ready. */
typedef struct icl_decode_limits {
    size_t cells;       /**< tokens held at once */
    size_t sequences;   /**< sequence ids 0..sequences-1 are used */
    size_t call_tokens; /**< most tokens of one call */
    size_t call_rows;   /**< most rows read from one call */
    bool hidden;        /**< calls may ask for hidden states */
    /** Most tokens held at once, each counted for every sequence that it is in; 0: unknown. */
    size_t sequence_tokens;
} icl_decode_limits;

/** A token of a call. It belongs to leaves leaf_first..leaf_last of the wave (none when first > last)
 *  and, when on the trunk, to sequence 0. */
typedef struct icl_decode_token {
    int32_t token;    /**< its id */
    int32_t position; /**< in its path, from 0 */
    /** From 1; both ends belong. */
    int32_t leaf_first, leaf_last;
    bool trunk;  /**< belongs to sequence 0 */
    bool row;    /**< its logits are read */
    bool hidden; /**< its last hidden state is read; only where `row` is set */
} icl_decode_token;

/** Sequence `to` becomes the first `tokens` tokens of `from`; cut or dropped where both are the same.
 * Cells that no sequence has any more stay taken until the next prepare: a token's cell has to lie
 * after its ancestors' cells. */
typedef struct icl_decode_edit {
    int32_t to, from;
    size_t tokens;
} icl_decode_edit;

/** One evaluation. When `begins_wave`: first the leaf sequences of the wave before are dropped,
 * sequence 0 is cut to its first keep_tokens tokens, and sequences 1..leaf_count become copies of
 * it. The cells that these had for themselves are free.
 *
 * A wave with leaf_sequences is one whose leaves are held: they stay when other waves begin. It
 * drops sequence 0 as well, then makes its edits, in their order; its leaves have the sequences
 * named, which no other wave uses. */
typedef struct icl_decode_call {
    bool begins_wave;   /**< the cache is cut first, as above */
    size_t keep_tokens; /**< of sequence 0; when it begins a wave */
    /** When it begins a wave: 0, or the held sequence that sequence 0 first becomes a copy of. */
    int32_t trunk_from;
    size_t leaf_count;              /**< sequences of the wave */
    const int32_t *leaf_sequences;  /**< [leaf_count]; NULL: leaf i is sequence i */
    const icl_decode_edit *edits;   /**< [edit_count], when it begins a wave */
    size_t edit_count;              /**< 0 where leaf_sequences is NULL */
    const icl_decode_token *tokens; /**< [token_count], ancestors before descendants */
    size_t token_count;             /**< at least 1, at most call_tokens */
} icl_decode_call;

/** The functions of a back end; `self` is what icl_model_new was given. */
typedef struct icl_model_backend {
    const char *name; /**< static */
    /** Frees self. */
    void (*close)(void *self);
    /** As icl_model_tokenize. */
    icl_status (*tokenize)(void *self, int32_t *out_tokens, size_t capacity, size_t *out_count,
                           const char *text, size_t length, bool parse_special);
    /** As icl_model_piece. */
    icl_status (*piece)(void *self, char *out, size_t capacity, size_t *out_length, int32_t token);
    /** Makes an empty cache of at least this size ready. */
    icl_status (*prepare)(void *self, const icl_decode_limits *limits);
    /** Evaluates one call. ICL_ECANCELLED: interrupted; ICL_EMODEL; ICL_EUNSUPPORTED: the cache
     *  cannot be cut. */
    icl_status (*decode)(void *self, const icl_decode_call *call);
    /** Logits [vocab_count] of the call's token at `token_index`; valid until the next decode. */
    const float *(*logits)(void *self, size_t token_index);
    /** Last hidden state [embedding_size] of the call's token at `token_index`; valid until the
     * next decode. NULL when icl_model_info.hidden_states is false. */
    const float *(*hidden)(void *self, size_t token_index);
    void (*interrupt)(void *self, bool on); /**< may be NULL */
    /** Bytes beyond the weights that calls within the limits of the last prepare take: cache, rows,
     *  intermediate results, book-keeping. 0 before the first. */
    uint64_t (*working_bytes)(const void *self);
} icl_model_backend;

/** Wraps a back end. `info` is copied, its strings are borrowed from `self_taken`, which moves in,
 * on failure too. */
ICL_API icl_status icl_model_new(icl_model **out, const icl_model_backend *backend,
                                 void *self_taken, const icl_model_info *info);

/** Sequence of a leaf of the call's wave. */
static inline int32_t icl_decode_sequence(const icl_decode_call *call, int32_t leaf)
{
    return call->leaf_sequences == NULL ? leaf : call->leaf_sequences[leaf - 1];
}

/** Makes an empty cache of at least this size ready; what it held is dropped. ICL_EUNSUPPORTED: the
 *  limits want hidden states, which the back end does not give. */
ICL_API icl_status icl_model_prepare(icl_model *model, const icl_decode_limits *limits);
/** Evaluates one call, as icl_model_backend.decode. */
ICL_API icl_status icl_model_decode(icl_model *model, const icl_decode_call *call);
/** Changes whenever what the cache held may be lost: at every prepare and failed decode. */
ICL_API uint64_t icl_model_cache_stamp(const icl_model *model);
/** Logits [vocab_count] of a token of the last call whose `row` is set. Borrowed until the next. */
ICL_API const float *icl_model_logits(icl_model *model, size_t token_index);
/** Last hidden state [embedding_size], after the final norm, of a token of the last call whose
 *  `hidden` is set. Borrowed until the next. */
ICL_API const float *icl_model_hidden(icl_model *model, size_t token_index);
/** As icl_model_backend.working_bytes. */
ICL_API uint64_t icl_model_working_bytes(const icl_model *model);

/**
 * The table model: exact, hand-written logits, for tests of everything above the model.
 * Tokens are bytes (0..255) and BOS (256). `logits` fills [257] values from the whole context.
 */
typedef void (*icl_table_logits)(void *user, float *out_logits, const int32_t *context,
                                 size_t context_count);
/** Fills a hidden state from the whole context; see icl_table. */
typedef void (*icl_table_hidden)(void *user, float *out_state, const int32_t *context,
                                 size_t context_count);
/** A table model in full. */
typedef struct icl_table {
    icl_table_logits logits;
    icl_table_hidden hidden; /**< NULL: a model whose hidden states cannot be read */
    size_t hidden_size;      /**< numbers of a state */
    void *user;              /**< handed to both */
    size_t window_tokens;    /**< 0: no limit */
} icl_table;
/** Opens a table model. @param[out] out  yours: icl_model_close */
ICL_API icl_status icl_model_open_table_of(icl_model **out, const icl_table *table);
/** The same without hidden states; `window_tokens` 0: no limit. */
ICL_API icl_status icl_model_open_table(icl_model **out, icl_table_logits logits, void *user,
                                        size_t window_tokens);

#ifdef __cplusplus
}
#endif
#endif
