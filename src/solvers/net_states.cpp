#include "solvers/net_states.h"

namespace orepa {

NetStates read_states(Device& device, const Net& net) {
  NetStates states;
  for (const Net::State& state : net.states())
    states[state.name] = read_tensor(device, state.value);
  return states;
}

std::set<std::string> write_states(Device& device, const NetStates& states, Net& net) {
  std::set<std::string> without;
  for (const Net::State& state : net.states()) {
    const Tensor& value = state.value;
    const auto found = states.find(state.name);
    if (found == states.end()) {
      device.zero(value.data, value.bytes());
      without.insert(state.name.substr(0, state.name.rfind('/')));
      continue;
    }
    const std::vector<float>& numbers = found->second;
    require(static_cast<int64_t>(numbers.size()) == value.count(), state.name, ", which layers ",
            "hand from pass to pass, would be ", numbers.size(), " numbers, but is ",
            value.shape.str(), "; the batch is another one");
    write_tensor(device, value, numbers);
  }
  return without;
}

}  // namespace orepa
