/* tests/order/order_world.h - what an ordering method is given, and the model it asks. */
#ifndef TESTS_ORDER_ORDER_WORLD_H
#define TESTS_ORDER_ORDER_WORLD_H

#include "fake_asker.h"
#include "order/order.h"

typedef struct world {
    icl_order_input input;
    fake_asker fake;
} world;

/* The input made of the counts and arrays that a test file holds under these names, and of further
 * fields. A macro, since the file's own names are the point. */
#define ORDER_INPUT(...)                                                                           \
    ((icl_order_input){ .query_count = QUERIES,                                                    \
                        .k = K,                                                                    \
                        .indices = selected,                                                       \
                        .pool_count = POOL,                                                        \
                        .label_count = LABELS,                                                     \
                        .pool_texts = pool_texts,                                                  \
                        .query_texts = query_texts,                                                \
                        .pool_labels = pool_labels,                                                \
                        .query_ids = query_ids,                                                    \
                        __VA_ARGS__ })

#endif
