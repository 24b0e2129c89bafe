/* Of OpenMP's settings, those that say how many threads a region has. */
#include "step/surroundings.h"

#include <omp.h>

void dt_surroundings_save(dt_surroundings *saved) {
    (void)fegetenv(&saved->arithmetic);
    saved->threads = omp_get_max_threads();
    saved->dynamic = omp_get_dynamic();
    saved->levels = omp_get_max_active_levels();
}

void dt_surroundings_restore(const dt_surroundings *saved) {
    (void)fesetenv(&saved->arithmetic);
    omp_set_max_active_levels(saved->levels);
    omp_set_dynamic(saved->dynamic);
    omp_set_num_threads(saved->threads);
}
