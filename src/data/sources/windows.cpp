#include "data/sources/windows.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "core/input_file.h"
#include "data/sources/random_file.h"
#include "orepa/error.h"

namespace orepa {
namespace {

// A file as words between white space.
class Words {
 public:
  Words(const std::string& path, std::string_view content) : path_(path), left_(content) {}

  // Empty at the end of the file.
  std::string_view next() {
    constexpr std::string_view kSpace = " \t\r\n";
    const size_t begin = std::min(left_.find_first_not_of(kSpace), left_.size());
    line_ += std::count(left_.begin(), left_.begin() + static_cast<std::ptrdiff_t>(begin), '\n');
    left_.remove_prefix(begin);
    const std::string_view word = left_.substr(0, left_.find_first_of(kSpace));
    left_.remove_prefix(word.size());
    return word;
  }
  template <class Number>
  Number number(const char* what) {
    const std::string_view word = next();
    Number value{};
    const auto [rest, reason] = std::from_chars(word.data(), word.data() + word.size(), value);
    require(reason == std::errc() && rest == word.data() + word.size(), where(), "expected ", what,
            ", got \"", word.substr(0, 200), "\"");
    return value;
  }
  std::string where() const { return text(path_, ":", line_, ": "); }

 private:
  const std::string path_;
  std::string_view left_;
  int64_t line_ = 1;
};

}  // namespace

WindowFile::WindowFile(WindowOptions options) : options_(std::move(options)) {
  require(!options_.source.empty(), "window_data_param.source is missing: a window file");
  parse(read_file(options_.source));
  require(size() > 0, options_.source, ": has no window of the foreground (overlap of ",
          options_.foreground, " at least) and none of the background (below ", options_.background,
          ")");
  if (options_.keep_files) kept_ = std::vector<KeptFile>(static_cast<size_t>(images_.size()));
}

void WindowFile::parse(const std::string& content) {
  Words words(options_.source, content);
  for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
    require(word == "#", words.where(), "expected \"# NUMBER\", with which an image begins, got \"",
            word.substr(0, 200), "\"");
    words.number<int64_t>("the number of an image");
    const std::string_view path = words.next();
    require(!path.empty(), words.where(), "expected the path of an image");
    images_.add(path);
    for (const char* what : {"channels", "the height", "the width"}) words.number<int32_t>(what);
    const auto windows = words.number<int64_t>("the number of windows");
    for (int64_t w = 0; w < windows; ++w) {
      Window window{};
      window.image = static_cast<int32_t>(images_.size() - 1);
      window.label = words.number<int32_t>("the class of a window");
      const auto overlap = words.number<float>("the overlap of a window");
      for (int32_t Window::*edge : {&Window::left, &Window::top, &Window::right, &Window::bottom})
        window.*edge = words.number<int32_t>("an edge of a window");
      require(window.left <= window.right && window.top <= window.bottom, words.where(),
              "a window from (", window.left, ", ", window.top, ") to (", window.right, ", ",
              window.bottom, ") is empty");
      if (overlap >= options_.foreground) {
        require(window.label > 0, words.where(), "a window of the foreground has the class ",
                window.label, "; 0 is the background's");
        labels_.most = std::max<int64_t>(labels_.most, window.label);
        foreground_.push_back(window);
      } else if (overlap < options_.background) {
        window.label = 0;
        background_.push_back(window);
      }
    }
  }
}

const WindowFile::Window& WindowFile::window(int64_t index) const {
  return index < foreground() ? foreground_[static_cast<size_t>(index)]
                              : background_[static_cast<size_t>(index - foreground())];
}

std::string WindowFile::path(const Window& window) const {
  return options_.root_folder + std::string(images_[window.image]);
}

std::string WindowFile::name(int64_t index) const {
  const Window& window = this->window(index);
  return text(path(window), ", window ", window.left, " ", window.top, " ", window.right, " ",
              window.bottom);
}

void WindowFile::read(int64_t index, Record& record) const {
  const Window& window = this->window(index);
  record.kind = Record::Kind::kFile;
  record.label = window.label;
  record.window = {window.left, window.top, window.right, window.bottom};
  if (!options_.keep_files) {
    read_bytes(path(window), record.buffer);
    record.content = record.buffer;
    return;
  }
  KeptFile& file = kept_[static_cast<size_t>(window.image)];
  std::call_once(file.read, [&] { read_bytes(path(window), file.content); });
  record.content = file.content;
}

}  // namespace orepa
