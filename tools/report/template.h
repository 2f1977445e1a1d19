// The page's own files, page.{html,css,js} and chart.js: CMake puts them into the program.
#pragma once

namespace orepa::tool {

extern const char* const kPageHtml;
extern const char* const kPageStyle;
extern const char* const kChartScript;
extern const char* const kPageScript;

}  // namespace orepa::tool
