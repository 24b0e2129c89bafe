/* Matrices by the table of tensors, attention by the shape. */
#include "model/flop.h"

#include <string.h>

double dt_flop_step(const dt_layout *layout, int64_t B) {
    const dt_shape *s = &layout->shape;
    const double T = (double)s->T, C = (double)s->C;
    double matrix_parameters = 0.0;
    for (int64_t t = 0; t < layout->tensors; t++)
        if (layout->tensor[t].dims == 2 && strcmp(layout->tensor[t].name, "wpe.weight") != 0)
            matrix_parameters += (double)layout->tensor[t].count;
    const double a_sequence = 6.0 * matrix_parameters * T + 6.0 * (double)s->n_layers * C * T * (T + 1.0);
    return (double)B * a_sequence;
}
