#pragma once

#include <string>
#include <string_view>

namespace headwater::avro::test {

/// Schema T1: 20 top-level fields, every kind of value that change events have.
inline constexpr std::string_view kSchemaT1 = R"json(
{"type":"record","name":"AccountChangeEvent","namespace":"com.sforce.eventbus","fields":[
{"name":"ChangeEventHeader","type":{"type":"record","name":"ChangeEventHeader","fields":[{"name":"entityName","type":"string"},{"name":"recordIds","type":{"type":"array","items":"string"}},{"name":"changeType","type":{"type":"enum","name":"ChangeType","symbols":["CREATE","UPDATE","DELETE","UNDELETE","GAP_CREATE","GAP_UPDATE","GAP_DELETE","GAP_UNDELETE","GAP_OVERFLOW","SNAPSHOT"]}},{"name":"changeOrigin","type":"string"},{"name":"transactionKey","type":"string"},{"name":"sequenceNumber","type":"int"},{"name":"commitTimestamp","type":"long"},{"name":"commitNumber","type":"long"},{"name":"commitUser","type":"string"},{"name":"nulledFields","type":{"type":"array","items":"string"}},{"name":"diffFields","type":{"type":"array","items":"string"}},{"name":"changedFields","type":{"type":"array","items":"string"}}]},"doc":"Data:ComplexValueType"},
{"name":"Name","type":["null","string",{"type":"record","name":"Switchable_PersonName","fields":[{"name":"Salutation","type":["null","string"],"default":null},{"name":"FirstName","type":["null","string"],"default":null},{"name":"LastName","type":["null","string"],"default":null}]}],"doc":"Data:Switchable_PersonName","default":null},
{"name":"Type","type":["null","string"],"doc":"Data:DynamicEnum","default":null},
{"name":"ParentId","type":["null","string"],"doc":"ForeignKey:EntityId","default":null},
{"name":"BillingAddress","type":["null",{"type":"record","name":"Address","fields":[{"name":"Street","type":["null","string"],"default":null},{"name":"City","type":["null","string"],"default":null},{"name":"State","type":["null","string"],"default":null},{"name":"PostalCode","type":["null","string"],"default":null},{"name":"Country","type":["null","string"],"default":null},{"name":"StateCode","type":["null","string"],"default":null},{"name":"CountryCode","type":["null","string"],"default":null},{"name":"Latitude","type":["null","double"],"default":null},{"name":"Longitude","type":["null","double"],"default":null},{"name":"GeocodeAccuracy","type":["null","string"],"default":null}]}],"doc":"Data:Address","default":null},
{"name":"ShippingAddress","type":["null","Address"],"doc":"Data:Address","default":null},
{"name":"Phone","type":["null","string"],"doc":"Data:Phone","default":null},
{"name":"Industry","type":["null","string"],"doc":"Data:DynamicEnum","default":null},
{"name":"AnnualRevenue","type":["null","double"],"doc":"Data:Currency","default":null},
{"name":"NumberOfEmployees","type":["null","int"],"doc":"Data:Integer","default":null},
{"name":"Description","type":["null","string"],"doc":"Data:StringPlusClob","default":null},
{"name":"OwnerId","type":["null","string"],"doc":"ForeignKey:EntityId","default":null},
{"name":"CreatedDate","type":["null","long"],"doc":"CreatedDate:DateTime","default":null},
{"name":"CreatedById","type":["null","string"],"doc":"ForeignKey:EntityId","default":null},
{"name":"LastModifiedDate","type":["null","long"],"doc":"Data:DateTime","default":null},
{"name":"LastModifiedById","type":["null","string"],"doc":"ForeignKey:EntityId","default":null},
{"name":"Active__c","type":["null","boolean"],"doc":"Data:Boolean:00N000000000001","default":null},
{"name":"Renewal_Date__c","type":["null","long"],"doc":"Data:DateOnly:00N000000000002","default":null},
{"name":"Opens_At__c","type":["null","long"],"doc":"Data:TimeOnly:00N000000000003","default":null},
{"name":"Tier__c","type":["null","string"],"doc":"Data:MultiEnum:00N000000000004","default":null}
]}
)json";

/// UPDATE of one record, with nested bitmaps.
inline constexpr std::string_view kV1 =
    "0e4163636f756e7402243030313030303030303030303030314141410002004830303030616161612d626262622d63"
    "6363632d646464"
    "642d6565656565656565656565650280a0abfef962c8989dc1e2ca0524303035303030303030303030303031414141"
    "0408307834300c"
    "342d3078303200000410307830323431433010342d3078303138330000000002021231204d61696e20537400000000"
    "0000020000000000"
    "c04240020000000000905ec0000000020c456e65726779020000008060e3364100000000000280a0abfef962000002"
    "80d08fa598630000";

/// GAP_OVERFLOW with the dummy record id.
inline constexpr std::string_view kV2 =
    "0e4163636f756e7402243030303030303030303030303030304141410010004830303030616161612d626262622d63"
    "6363632d6464"
    "64642d6565656565656565656565650280a0abfef962c8989dc1e2ca05243030353030303030303030303030314141"
    "4100000000"
    "000000000000000000000000000000000000";

/// DELETE of two records.
inline constexpr std::string_view kV3 =
    "0e4163636f756e74042430303130303030303030303030303141414124303031303030303030303030303032414141"
    "00040006742d"
    "3104d0afabfef9628680f6eebbc6b4ad31243030353030303030303030303030314141410000000000000000000000"
    "0000000000"
    "000000000000";

/// CREATE; the Name is in its record branch.
inline constexpr std::string_view kV4 =
    "0e4163636f756e74022430303130303030303030303030303341414100000006742d3102d0afabfef9628680f6eebb"
    "c6b4ad312430"
    "30353030303030303030303030314141410000000400020641646102104c6f76656c61636500000000000000020e00"
    "0000000000"
    "020100028089e4310206413b42";

inline std::string from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  }
  return out;
}

}  // namespace headwater::avro::test
