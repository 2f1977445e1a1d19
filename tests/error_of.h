// What an Error says.
#pragma once
#include <string>

#include "orepa/error.h"

namespace orepa {

// The message of the Error that `call` throws; empty where it throws none.
template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace orepa
