-- expect: exit 2; module_missing%.lua:4: require: module "decoder_of_mine" is neither beside the scenario .* nor installed; correct its name
local rig = require "rig"

local decoder = require "decoder_of_mine"
return rig.scenario { items = 4, map = decoder.decode }
