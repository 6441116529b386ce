/* icl/status.h - how every function of the library reports failure.
 *
 *   icl_status status = icl_model_open(&model, path, NULL);
 *   if (status != ICL_OK) fprintf(stderr, "%s\n", icl_error_message());
 */
#ifndef ICL_STATUS_H
#define ICL_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/** A function that users of the library may call. */
#if defined(_WIN32)
#define ICL_API __declspec(dllexport)
#else
#define ICL_API __attribute__((visibility("default")))
#endif

/** Result of a call: ICL_OK (0) or one negative code. The sentence is in icl_error_message(). */
typedef enum icl_status {
    ICL_OK = 0,
    ICL_EINVAL = -1,       /**< an argument or option value is not acceptable */
    ICL_EPARSE = -2,       /**< input text is malformed; the message names file, line and value */
    ICL_EIO = -3,          /**< the operating system refused: missing file, full disk, permission */
    ICL_ENOMEM = -4,       /**< out of memory */
    ICL_EMODEL = -5,       /**< a model file or model evaluation failed */
    ICL_ECONTEXT = -6,     /**< a prompt does not fit the model's window */
    ICL_EUNSUPPORTED = -7, /**< the backend lacks a capability; the message names it */
    ICL_ENOTFOUND = -8,    /**< unknown name; the message offers the nearest known one */
    ICL_EBUSY = -9,        /**< another process holds the journal */
    ICL_ECANCELLED = -10,  /**< the caller asked to stop; finished work is durable */
    ICL_EBUDGET = -11,     /**< more tokens are asked for than the caller allows */
} icl_status;

/**
 * The sentence about the last failure on this thread, with the value that was wrong.
 * @return never NULL; borrowed, valid until the next failing call on this thread; "" before any.
 */
ICL_API const char *icl_error_message(void);

/** Short fixed name of a code, such as "invalid argument". Never NULL. */
ICL_API const char *icl_status_name(icl_status status);

#ifdef __cplusplus
}
#endif
#endif
