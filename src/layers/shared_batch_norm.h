// Batch normalisation by the statistics of a whole batch, of which each of several ranks has some
// rows (sync_statistics). Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for
// computing sample variances, 1979: means and sums of squares of parts make those of the whole.
#pragma once
#include <memory>

#include "orepa/communicator.h"
#include "orepa/layer.h"

namespace orepa {

// `rows`: which rows of the batch x has; geometry.training must be set. Both must outlive the plan.
std::shared_ptr<BatchNormPlan> shared_batch_norm(Device& device, Communicator& ranks,
                                                 const BatchNormGeometry& geometry,
                                                 const BatchRows& rows);

}  // namespace orepa
