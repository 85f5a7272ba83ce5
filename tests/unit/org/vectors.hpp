#pragma once

#include <string_view>

namespace headwater::org {

// Schema T1 and byte vectors V1 to V4 of salesforce.md section 5.6, and T1 as an object of ours.

inline constexpr std::string_view kT1Table = R"(Account 001
  Name switchable
  Type picklist
  ParentId ref Account
  BillingAddress address
  ShippingAddress address
  Phone phone
  Industry picklist
  AnnualRevenue currency
  NumberOfEmployees int
  Description longtext
  OwnerId ref User
  CreatedDate created
  CreatedById ref User
  LastModifiedDate datetime
  LastModifiedById ref User
  Active__c bool
  Renewal_Date__c date
  Opens_At__c time
  Tier__c multi
)";

inline constexpr std::string_view kT1Schema =
    R"({"type":"record","name":"AccountChangeEvent","namespace":"com.sforce.eventbus",")"
    R"(fields":[)"
    R"({"name":"ChangeEventHeader","type":{"type":"record","name":"ChangeEventHeader",")"
    R"(fields":[{"name":"entityName","type":"string"},{"name":"recordIds","type":{"type)"
    R"(":"array","items":"string"}},{"name":"changeType","type":{"type":"enum","name":")"
    R"(ChangeType","symbols":["CREATE","UPDATE","DELETE","UNDELETE","GAP_CREATE","GAP_U)"
    R"(PDATE","GAP_DELETE","GAP_UNDELETE","GAP_OVERFLOW","SNAPSHOT"]}},{"name":"changeO)"
    R"(rigin","type":"string"},{"name":"transactionKey","type":"string"},{"name":"seque)"
    R"(nceNumber","type":"int"},{"name":"commitTimestamp","type":"long"},{"name":"commi)"
    R"(tNumber","type":"long"},{"name":"commitUser","type":"string"},{"name":"nulledFie)"
    R"(lds","type":{"type":"array","items":"string"}},{"name":"diffFields","type":{"typ)"
    R"(e":"array","items":"string"}},{"name":"changedFields","type":{"type":"array","it)"
    R"(ems":"string"}}]},"doc":"Data:ComplexValueType"},)"
    R"({"name":"Name","type":["null","string",{"type":"record","name":"Switchable_Perso)"
    R"(nName","fields":[{"name":"Salutation","type":["null","string"],"default":null},{)"
    R"("name":"FirstName","type":["null","string"],"default":null},{"name":"LastName",")"
    R"(type":["null","string"],"default":null}]}],"doc":"Data:Switchable_PersonName","d)"
    R"(efault":null},)"
    R"({"name":"Type","type":["null","string"],"doc":"Data:DynamicEnum","default":null})"
    R"(,)"
    R"({"name":"ParentId","type":["null","string"],"doc":"ForeignKey:EntityId","default)"
    R"(":null},)"
    R"({"name":"BillingAddress","type":["null",{"type":"record","name":"Address","field)"
    R"(s":[{"name":"Street","type":["null","string"],"default":null},{"name":"City","ty)"
    R"(pe":["null","string"],"default":null},{"name":"State","type":["null","string"],")"
    R"(default":null},{"name":"PostalCode","type":["null","string"],"default":null},{"n)"
    R"(ame":"Country","type":["null","string"],"default":null},{"name":"StateCode","typ)"
    R"(e":["null","string"],"default":null},{"name":"CountryCode","type":["null","strin)"
    R"(g"],"default":null},{"name":"Latitude","type":["null","double"],"default":null},)"
    R"({"name":"Longitude","type":["null","double"],"default":null},{"name":"GeocodeAcc)"
    R"(uracy","type":["null","string"],"default":null}]}],"doc":"Data:Address","default)"
    R"(":null},)"
    R"({"name":"ShippingAddress","type":["null","Address"],"doc":"Data:Address","defaul)"
    R"(t":null},)"
    R"({"name":"Phone","type":["null","string"],"doc":"Data:Phone","default":null},)"
    R"({"name":"Industry","type":["null","string"],"doc":"Data:DynamicEnum","default":n)"
    R"(ull},)"
    R"({"name":"AnnualRevenue","type":["null","double"],"doc":"Data:Currency","default")"
    R"(:null},)"
    R"({"name":"NumberOfEmployees","type":["null","int"],"doc":"Data:Integer","default")"
    R"(:null},)"
    R"({"name":"Description","type":["null","string"],"doc":"Data:StringPlusClob","defa)"
    R"(ult":null},)"
    R"({"name":"OwnerId","type":["null","string"],"doc":"ForeignKey:EntityId","default")"
    R"(:null},)"
    R"({"name":"CreatedDate","type":["null","long"],"doc":"CreatedDate:DateTime","defau)"
    R"(lt":null},)"
    R"({"name":"CreatedById","type":["null","string"],"doc":"ForeignKey:EntityId","defa)"
    R"(ult":null},)"
    R"({"name":"LastModifiedDate","type":["null","long"],"doc":"Data:DateTime","default)"
    R"(":null},)"
    R"({"name":"LastModifiedById","type":["null","string"],"doc":"ForeignKey:EntityId",)"
    R"("default":null},)"
    R"({"name":"Active__c","type":["null","boolean"],"doc":"Data:Boolean:00N00000000000)"
    R"(1","default":null},)"
    R"({"name":"Renewal_Date__c","type":["null","long"],"doc":"Data:DateOnly:00N0000000)"
    R"(00002","default":null},)"
    R"({"name":"Opens_At__c","type":["null","long"],"doc":"Data:TimeOnly:00N00000000000)"
    R"(3","default":null},)"
    R"({"name":"Tier__c","type":["null","string"],"doc":"Data:MultiEnum:00N000000000004)"
    R"(","default":null})"
    R"(]})";

inline constexpr std::string_view kV1 =
    "0e4163636f756e7402243030313030303030303030303030314141410002004830303030616161612d62"
    "6262622d636363632d646464642d6565656565656565656565650280a0abfef962c8989dc1e2ca052430"
    "30353030303030303030303030314141410408307834300c342d30783032000004103078303234314330"
    "10342d3078303138330000000002021231204d61696e205374000000000000020000000000c042400200"
    "00000000905ec0000000020c456e65726779020000008060e3364100000000000280a0abfef962000002"
    "80d08fa598630000";
inline constexpr std::string_view kV2 =
    "0e4163636f756e7402243030303030303030303030303030304141410010004830303030616161612d62"
    "6262622d636363632d646464642d6565656565656565656565650280a0abfef962c8989dc1e2ca052430"
    "303530303030303030303030303141414100000000000000000000000000000000000000000000";
inline constexpr std::string_view kV3 =
    "0e4163636f756e7404243030313030303030303030303030314141412430303130303030303030303030"
    "303241414100040006742d3104d0afabfef9628680f6eebbc6b4ad312430303530303030303030303030"
    "303141414100000000000000000000000000000000000000000000";
inline constexpr std::string_view kV4 =
    "0e4163636f756e74022430303130303030303030303030303341414100000006742d3102d0afabfef962"
    "8680f6eebbc6b4ad31243030353030303030303030303030314141410000000400020641646102104c6f"
    "76656c61636500000000000000020e000000000000020100028089e4310206413b42";

}  // namespace headwater::org
