// Batch normalisation by the statistics of a whole batch, of which each of several ranks has some
// rows (sync_statistics). Each pass waits for the other ranks once, and adds up two numbers a
// channel.
#pragma once
#include <memory>

#include "orepa/communicator.h"
#include "orepa/layer.h"

namespace orepa {

// `rows`: which rows of the batch x has, one at least; geometry.training must be set. Both must
// outlive the plan.
std::shared_ptr<BatchNormPlan> shared_batch_norm(Device& device, Communicator& ranks,
                                                 const BatchNormGeometry& geometry,
                                                 const BatchRows& rows);

}  // namespace orepa
