/* icl/engine.h - questions to a language model, merged into a token trie, each distinct prefix
 * evaluated once.
 *
 *   icl_batch *batch = NULL;
 *   icl_batch_new(&batch);
 *   size_t prefix, request;
 *   icl_batch_add_prefix(batch, tokens, token_count, &prefix);
 *   icl_batch_add_score(batch, prefix, label_tokens, label_token_count, &request);
 *   icl_engine_run(engine, batch);
 *   double logprob = icl_batch_logprob_nats(batch, request);
 */
#ifndef ICL_ENGINE_H
#define ICL_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/model.h>
#include <icl/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Requests and, once answered, their answers. Not shared between threads. */
typedef struct icl_batch icl_batch;
/** Evaluates batches on one model, with a journal where one is wanted. */
typedef struct icl_engine icl_engine;
/** The calls that answer a batch, worked out before anything is evaluated. */
typedef struct icl_plan icl_plan;

/* ---- requests ---- */

/** An empty batch. ICL_ENOMEM. @param[out] out  yours: icl_batch_free */
ICL_API icl_status icl_batch_new(icl_batch **out);
/** NULL is fine. */
ICL_API void icl_batch_free(icl_batch *batch);

/** Adds the tokens that requests are conditioned on; copied. `count` is at least 1. Equal prefixes
 *  may be added again: the trie merges them. *out_prefix counts from 0. ICL_ENOMEM. */
ICL_API icl_status icl_batch_add_prefix(icl_batch *batch, const int32_t *tokens, size_t count,
                                        size_t *out_prefix);

/** Asks log P(continuation | prefix), token by token; copied. `count` is at least 1. *out_request
 *  counts from 0 over all kinds of requests. ICL_ENOMEM. */
ICL_API icl_status icl_batch_add_score(icl_batch *batch, size_t prefix, const int32_t *continuation,
                                       size_t count, size_t *out_request);

/** Asks for the next-token distribution after the prefix: its entropy and its top_n tokens. */
ICL_API icl_status icl_batch_add_distribution(icl_batch *batch, size_t prefix, size_t top_n,
                                              size_t *out_request);

/** Asks for the whole next-token distribution after the prefix: four bytes for every token of the
 *  vocabulary, in memory and in the journal. */
ICL_API icl_status icl_batch_add_whole_distribution(icl_batch *batch, size_t prefix,
                                                    size_t *out_request);

/** Asks for the last hidden state at the prefix's last token, after the final norm: what the output
 *  table reads. For models whose icl_model_info.hidden_states is set. */
ICL_API icl_status icl_batch_add_hidden(icl_batch *batch, size_t prefix, size_t *out_request);

/**
 * Says that a later batch goes on from this request: what was evaluated for it stays in the cache
 * after the run where there is room, and the next batch that keeps requests does not evaluate it
 * again. So text that a model writes costs a token a step. Changes no answer. Everything is let go
 * by a batch that keeps nothing.
 * @param tokens_to_come  about how many cells the path will yet take; room is left for so many
 */
ICL_API void icl_batch_keep(icl_batch *batch, size_t request, size_t tokens_to_come);

/** Number of requests. */
ICL_API size_t icl_batch_count(const icl_batch *batch);
/** Number of prefixes added. */
ICL_API size_t icl_batch_prefix_count(const icl_batch *batch);
/** Tokens of a prefix, *out_count of them. Borrowed until the next addition. */
ICL_API const int32_t *icl_batch_prefix(const icl_batch *batch, size_t prefix, size_t *out_count);
/** Prefix that a request is conditioned on. */
ICL_API size_t icl_batch_request_prefix(const icl_batch *batch, size_t request);
/** Continuation of a score request; *out_count is 0 for other requests. Borrowed until the next
 *  addition. */
ICL_API const int32_t *icl_batch_continuation(const icl_batch *batch, size_t request,
                                              size_t *out_count);

/* ---- answers, readable after icl_engine_run returned ICL_OK ---- */

/** Sum over the continuation, in nats, at most 0 up to rounding. */
ICL_API double icl_batch_logprob_nats(const icl_batch *batch, size_t request);
/** Of each continuation token, [*out_count], in nats. Borrowed. */
ICL_API const double *icl_batch_token_logprobs_nats(const icl_batch *batch, size_t request,
                                                    size_t *out_count);
/** Whether every continuation token is the model's first choice at its place. */
ICL_API bool icl_batch_is_greedy(const icl_batch *batch, size_t request);
/** The model's first choice at the place of each continuation token, [*out_count], ties by lowest
 *  id. Borrowed. */
ICL_API const int32_t *icl_batch_first_choices(const icl_batch *batch, size_t request,
                                               size_t *out_count);
/** Entropy of the next token, of a distribution request. */
ICL_API double icl_batch_entropy_nats(const icl_batch *batch, size_t request);
/** The top_n tokens, most likely first, ties by lowest id; *out_logprobs parallel, in nats. */
ICL_API const int32_t *icl_batch_top_tokens(const icl_batch *batch, size_t request,
                                            const double **out_logprobs, size_t *out_count);

/** Log-probability of every token of the vocabulary, [*out_count], in nats, of a whole-distribution
 *  request. Borrowed. */
ICL_API const float *icl_batch_whole_distribution_nats(const icl_batch *batch, size_t request,
                                                       size_t *out_count);
/** The state, [*out_count], of a hidden-state request. Borrowed. */
ICL_API const float *icl_batch_hidden(const icl_batch *batch, size_t request, size_t *out_count);

/* ---- the plan: a pure function of requests and limits ---- */

/** What a plan has to keep to; icl_engine_limits gives those of a model and a machine. */
typedef struct icl_plan_limits {
    size_t cells_max;       /**< tokens held in the cache at once */
    size_t call_tokens_max; /**< tokens of one evaluation call */
    size_t sequences_max;   /**< sequence ids, the trunk included; at least 2 */
    size_t window_tokens;   /**< longest path; 0: no limit */
    size_t row_floor;       /**< rows and tokens of a call are padded up to this; at least 1 */
} icl_plan_limits;

/** What a plan costs, known before it runs. */
typedef struct icl_plan_stats {
    /** Requests not yet answered; prefixes of the batch. */
    size_t request_count, prefix_count;
    uint64_t tokens_asked; /**< what evaluating each request alone would take */
    /** Distinct (prefix, token) pairs, without those that icl_batch_keep left in the cache: the
     *  least possible. */
    uint64_t tokens_trie;
    uint64_t tokens_evaluated; /**< tokens_trie plus padding */
    uint64_t logits_rows;      /**< rows that something reads, a hidden state's included */
    uint64_t rows_padding;     /**< rows computed only to keep kernels on one code path */
    uint64_t visible_cells;    /**< sum over tokens of the tokens they attend to */
    /** Requests among them for whole distributions and for hidden states. */
    size_t whole_distributions, hidden_states;
    /** Evaluations; runs of them between two cuts of the cache. */
    size_t calls, waves;
    /** Most cells and sequences held at once; most tokens and read rows of a call. */
    size_t cells_peak, sequences_peak, call_tokens_peak, call_rows_peak;
    size_t depth_max; /**< tokens of the longest path */
} icl_plan_stats;

/**
 * Plans the requests of a batch that are not answered yet, on an empty cache. Evaluates nothing.
 *
 * @param[out] out  yours: icl_plan_free
 * @return ICL_OK; ICL_EINVAL: limits that allow nothing; ICL_ECONTEXT: a path is longer than the
 *   window or the cell budget; ICL_ENOMEM
 */
ICL_API icl_status icl_plan_new(icl_plan **out, const icl_batch *batch,
                                const icl_plan_limits *limits);
/** NULL is fine. */
ICL_API void icl_plan_free(icl_plan *plan);
/** Borrowed. */
ICL_API const icl_plan_stats *icl_plan_get_stats(const icl_plan *plan);
/** A line per call, for people and golden files. Malloc'd, yours: free(). */
ICL_API icl_status icl_plan_print(char **out_text, const icl_plan *plan);

/* ---- running ---- */

/** What a run cost; sums over all runs of an engine. */
typedef struct icl_meter {
    /** Evaluated; found in the journal. */
    uint64_t requests, requests_cached;
    /** As in icl_plan_stats. */
    uint64_t tokens_asked, tokens_trie, tokens_evaluated;
    /** As in icl_plan_stats. */
    uint64_t logits_rows, rows_padding, visible_cells;
    uint64_t calls;      /**< evaluations that completed */
    double seconds;      /**< spent evaluating */
    uint64_t peak_bytes; /**< beyond the weights, as planned before evaluating */
} icl_meter;

/** Called after every evaluation call; tokens of the current run. */
typedef void (*icl_progress)(void *user, uint64_t tokens_done, uint64_t tokens_total);

/** See icl_engine_options_default(). */
typedef struct icl_engine_options {
    size_t cache_bytes_max;   /**< budget of the key/value cache; 0: a quarter of free memory */
    size_t call_tokens_max;   /**< 0: the model's */
    const char *journal_path; /**< SQLite file that keeps finished answers; NULL: none */
    icl_progress progress;    /**< may be NULL */
    void *progress_user;      /**< handed to progress */
} icl_engine_options;

/** A quarter of free memory, the model's call size, no journal, no progress. */
ICL_API icl_engine_options icl_engine_options_default(void);

/**
 * @param[out] out  yours: icl_engine_close
 * @param model  borrowed; must outlive the engine; one engine at a time
 * @param options  NULL: the defaults
 * @return ICL_EBUSY: another process writes this journal; ICL_EIO: the journal cannot be written
 */
ICL_API icl_status icl_engine_open(icl_engine **out, icl_model *model,
                                   const icl_engine_options *options);
/** NULL is fine. */
ICL_API void icl_engine_close(icl_engine *engine);
/** The model it was opened with. Borrowed. */
ICL_API icl_model *icl_engine_model(const icl_engine *engine);

/** Limits the engine plans with; for icl_plan_new. */
ICL_API icl_plan_limits icl_engine_limits(const icl_engine *engine);

/**
 * Peak memory of a run of this plan, weights excluded: cache, logits rows, intermediate results,
 * whole distributions, hidden states and the plan itself. Makes the model's buffers ready, as the
 * run would; evaluates nothing.
 * @param[out] out_bytes  within a tenth of what the process grows by
 * @return ICL_OK; ICL_EMODEL; ICL_ENOMEM
 */
ICL_API icl_status icl_engine_plan_bytes(icl_engine *engine, const icl_plan *plan,
                                         uint64_t *out_bytes);

/**
 * Answers every request of the batch. Answers found in the journal are not evaluated again; a
 * finished answer is in the journal before the function returns, whatever it returns.
 * @return ICL_OK; ICL_ECONTEXT; ICL_EMODEL; ICL_EIO: journal; ICL_ECANCELLED: interrupted;
 *   ICL_EUNSUPPORTED: hidden states of a model that does not give them
 */
ICL_API icl_status icl_engine_run(icl_engine *engine, icl_batch *batch);
/**
 * Answers several batches as one: what they have in common is evaluated once. Answers are those of
 * icl_engine_run on each; after a failure those that were finished are in the batches.
 */
ICL_API icl_status icl_engine_run_all(icl_engine *engine, icl_batch *const *batches, size_t count);
/** What all runs of the engine cost together. */
ICL_API icl_meter icl_engine_get_meter(const icl_engine *engine);

/**
 * Begins an account of what the engine's batches take from here on. A batch costs the tokens of the
 * trie of those requests that were not paid for before; without a journal, of all. Paths that an
 * earlier batch has kept are free, as if the cache had room for any. What the journal knows from an
 * earlier process is paid like the rest: resumed work costs what undisturbed work costs. From here
 * on icl_engine_run refuses a batch that would exceed the bound with ICL_EBUDGET, before anything is
 * evaluated.
 */
ICL_API void icl_engine_open_account(icl_engine *engine, uint64_t tokens_max);
/** Another bound for the open account. */
ICL_API void icl_engine_set_bound(icl_engine *engine, uint64_t tokens_max);
/** Tokens paid so far; 0 without an account. */
ICL_API uint64_t icl_engine_spent(const icl_engine *engine);
/** What running the batches as one would cost now. Evaluates nothing. ICL_ENOMEM. */
ICL_API icl_status icl_engine_price(uint64_t *out_tokens, const icl_engine *engine,
                                    const icl_batch *const *batches, size_t count);

/**
 * Plain prefill rate of the same model on the same build: one sequence evaluated in calls of the
 * same size with about the same number of visible cells per token. The 1 of eta_machine.
 * @param[out] out_tokens_per_second  evaluated for about `seconds_max`
 */
ICL_API icl_status icl_engine_measure_prefill(icl_engine *engine, size_t call_tokens,
                                              size_t visible_cells, double seconds_max,
                                              double *out_tokens_per_second);

#ifdef __cplusplus
}
#endif
#endif
