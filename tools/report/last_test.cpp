#include "report/last_test.h"

#include <algorithm>
#include <cmath>

#include "orepa/error.h"
#include "report/json_files.h"
#include "report/png.h"

namespace orepa::tool {
namespace {

// What the net gave to class `c` of these scores.
double probability_of(const float* scores, int64_t classes, int64_t c, bool probabilities) {
  if (probabilities) return scores[c];
  double sum = 0;
  for (int64_t k = 0; k < classes; ++k) sum += std::exp(static_cast<double>(scores[k]) - scores[c]);
  return 1 / sum;
}

Json json_of(const Mistake& mistake) {
  Json json = {{"sample", std::to_string(mistake.sample)},
               {"label", mistake.label},
               {"predicted", mistake.predicted},
               {"probability", mistake.probability}};
  if (!mistake.image.empty()) json["image"] = mistake.image;
  return json;
}

Json json_of(const std::vector<Mistake>& mistakes) {
  Json json = Json::array();
  for (const Mistake& mistake : mistakes) json.push_back(json_of(mistake));
  return json;
}

Mistake mistake_of(const Json& json) {
  return {std::stoll(json["sample"].get<std::string>()), json["label"], json["predicted"],
          json["probability"], json.value("image", "")};
}

}  // namespace

void LastTest::begin(int64_t classes) {
  classes_ = classes;
  confusion_.assign(static_cast<size_t>(classes * classes), 0);
  worst_.clear();
}

bool LastTest::is_among_worst(double probability) const {
  return worst_.size() < kWorst || probability > worst_.back().probability;
}

void LastTest::keep(const Mistake& mistake) {
  const auto place = std::find_if(worst_.begin(), worst_.end(), [&](const Mistake& other) {
    return other.probability < mistake.probability ||
           (other.probability == mistake.probability && other.sample > mistake.sample);
  });
  worst_.insert(place, mistake);
  if (worst_.size() > kWorst) worst_.pop_back();
}

void LastTest::add(const TestedBatch& batch) {
  require(batch.classes > 0 &&
              batch.scores.size() == batch.labels.size() * static_cast<size_t>(batch.classes),
          "a test's scores are ", batch.scores.size(), " numbers, not ", batch.labels.size(),
          " samples x ", batch.classes, " classes");
  if (batch.first_sample == 0 || batch.classes != classes_) begin(batch.classes);
  std::vector<float> images;
  for (size_t n = 0; n < batch.labels.size(); ++n) {
    const float given = batch.labels[n];
    if (!(given >= 0 && given < static_cast<float>(classes_))) continue;
    const float* scores = batch.scores.data() + static_cast<int64_t>(n) * classes_;
    Mistake mistake;
    mistake.sample = batch.first_sample + static_cast<int64_t>(n);
    mistake.label = static_cast<int64_t>(given);
    mistake.predicted = std::max_element(scores, scores + classes_) - scores;
    ++confusion_[static_cast<size_t>(mistake.label * classes_ + mistake.predicted)];
    if (mistake.label == mistake.predicted) continue;
    mistake.probability = probability_of(scores, classes_, mistake.predicted, batch.probabilities);
    if (!is_among_worst(mistake.probability)) continue;
    if (batch.images && images.empty()) images = batch.images();
    if (!images.empty()) {
      const Shape& shape = batch.image;
      const float* image = images.data() + static_cast<int64_t>(n) * shape.count();
      Picture picture = picture_of(image, shape[0], shape[1], shape[2], kLargestPicture);
      if (bgr_) swap_red_and_blue(picture);
      mistake.image = data_uri(picture);
    }
    keep(mistake);
  }
}

void LastTest::observe(Net& net, const TestBlobs& blobs, int64_t first_sample) {
  const Shape scores = net.shape(blobs.scores);
  const int64_t samples = net.shape(blobs.labels).count();
  if (scores.rank() < 2 || scores[0] != samples || scores[1] != scores.count(1, scores.rank()) ||
      scores[1] > kMostClasses)
    return;
  TestedBatch batch;
  batch.first_sample = first_sample;
  batch.classes = scores[1];
  batch.labels = net.read(blobs.labels);
  batch.scores = net.read(blobs.scores);
  batch.probabilities = blobs.probabilities;
  if (!blobs.images.empty()) {
    const Shape images = net.shape(blobs.images);
    if (images.rank() == 4 && images[0] == samples) {
      batch.image = {images[1], images[2], images[3]};
      batch.images = [&] { return net.read(blobs.images); };
    }
  }
  add(batch);
}

// Counts of all are added up, as doubles, which they are exactly; the worst of all are among the
// worst of each.
void LastTest::gather(Communicator& ranks) {
  int64_t classes = classes_;
  ranks.maximum(&classes, 1);
  if (classes != classes_) begin(classes);  // there was no batch for this rank
  std::vector<double> counts(confusion_.begin(), confusion_.end());
  ranks.start_sum(
      {counts.data(), static_cast<int64_t>(counts.size()), Communicator::Numbers::Type::kFloat64});
  ranks.finish_sums();
  const std::vector<std::string> worst = ranks.gather(written(json_of(worst_)));
  begin(ranks.rank() == 0 ? classes : 0);
  std::copy_n(counts.begin(), confusion_.size(), confusion_.begin());
  for (const std::string& of_rank : worst)
    for (const Json& mistake : Json::parse(of_rank)) keep(mistake_of(mistake));
}

std::string LastTest::json(int net, int64_t iteration, std::vector<std::string> classes) const {
  require(classes.empty() || static_cast<int64_t>(classes.size()) == classes_, "a test of ",
          classes_, " classes got ", classes.size(), " names");
  for (int64_t c = static_cast<int64_t>(classes.size()); c < classes_; ++c)
    classes.push_back(std::to_string(c));
  Json confusion = Json::array();
  for (int64_t c = 0; c < classes_; ++c) {
    const auto row = confusion_.begin() + c * classes_;
    confusion.push_back(std::vector<int64_t>(row, row + classes_));
  }
  return written({{"net", net},
                  {"iteration", iteration},
                  {"classes", classes},
                  {"confusion", confusion},
                  {"worst", json_of(worst_)}}) +
         "\n";
}

}  // namespace orepa::tool
