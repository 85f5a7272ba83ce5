#include "tests/org/schema.hpp"

namespace headwater::org {
namespace {

// Field order is the order of the Avro record. `~`: REST alone has the field. Field lists cover
// what unified-model.md section 5 maps; the custom fields bring the types that no standard field
// has.
constexpr std::string_view kTable = R"(Account 001
  Name switchable
  Type picklist
  ParentId ref Account
  BillingAddress address
  ShippingAddress address
  Phone phone
  Fax phone
  AccountNumber text
  Website url
  Sic text
  Industry picklist
  AnnualRevenue currency
  NumberOfEmployees int
  Ownership picklist
  TickerSymbol text
  Description longtext
  Rating picklist
  Site text
  OwnerId ref User
  CreatedDate created
  CreatedById ref User
  LastModifiedDate datetime
  LastModifiedById ref User
  PersonContactId ref Contact
  PersonMailingAddress address
  PersonMobilePhone phone
  PersonEmail email
  PersonBirthdate date
  RecordTypeId ref RecordType
  AccountSource picklist
  NaicsCode text
  Active__c bool
  Renewal_Date__c date
  Opens_At__c time
  Interests__c multi
  Score__c double
  Discount__c percent
  Headquarters__c location
  Portal_Url__c url
  Internal_Notes__c richtext
  ~IsPersonAccount bool
  ~MasterRecordId ref Account
  ~IsDeleted bool
  ~SystemModstamp datetime
Contact 003
  AccountId ref Account
  Name personname
  OtherAddress address
  MailingAddress address
  Phone phone
  Fax phone
  MobilePhone phone
  HomePhone phone
  OtherPhone phone
  AssistantPhone phone
  ReportsToId ref Contact
  Email email
  Title text
  Department text
  AssistantName text
  LeadSource picklist
  Birthdate date
  Description longtext
  OwnerId ref User
  HasOptedOutOfEmail bool
  DoNotCall bool
  CreatedDate created
  CreatedById ref User
  LastModifiedDate datetime
  LastModifiedById ref User
  EmailBouncedReason text
  EmailBouncedDate datetime
  IndividualId ref Individual
  IsPersonAccount bool
  Languages__c multi
  Newsletter__c bool
  Loyalty_Points__c double
  ~MasterRecordId ref Contact
  ~IsDeleted bool
  ~SystemModstamp datetime
Lead 00Q
  Name personname
  Title text
  Company text
  Address address
  Phone phone
  MobilePhone phone
  Fax phone
  Email email
  Website url
  Description longtext
  LeadSource picklist
  Status picklist
  Industry picklist
  Rating picklist
  AnnualRevenue currency
  NumberOfEmployees int
  OwnerId ref Group,User
  HasOptedOutOfEmail bool
  IsConverted bool
  ConvertedDate date
  ConvertedAccountId ref Account
  ConvertedContactId ref Contact
  ConvertedOpportunityId ref Opportunity
  IsUnreadByOwner bool
  CreatedDate created
  CreatedById ref User
  LastModifiedDate datetime
  LastModifiedById ref User
  DoNotCall bool
  IndividualId ref Individual
  Product_Interest__c multi
  ~MasterRecordId ref Lead
  ~IsDeleted bool
  ~SystemModstamp datetime
Opportunity 006
  AccountId ref Account
  ContactId ref Contact
  IsPrivate bool
  Name text
  Description longtext
  StageName picklist
  Amount currency
  Probability percent
  ExpectedRevenue currency
  TotalOpportunityQuantity double
  CloseDate date
  Type picklist
  NextStep text
  LeadSource picklist
  IsClosed bool
  IsWon bool
  ForecastCategory static
  ForecastCategoryName picklist
  CampaignId ref Campaign
  Pricebook2Id ref Pricebook2
  OwnerId ref User
  CreatedDate created
  CreatedById ref User
  LastModifiedDate datetime
  LastModifiedById ref User
  LastStageChangeDate datetime
  ContractId ref Contract
  RecordTypeId ref RecordType
  Competitors__c multi
  Margin__c percent
  ~IsDeleted bool
  ~SystemModstamp datetime
Case 500
  CaseNumber autonumber
  ContactId ref Contact
  AccountId ref Account
  AssetId ref Asset
  ParentId ref Case
  SuppliedName text
  SuppliedEmail email
  SuppliedPhone text
  SuppliedCompany text
  Type picklist
  RecordTypeId ref RecordType
  Status picklist
  Reason picklist
  Origin picklist
  Language picklist
  Subject text
  Priority picklist
  Description longtext
  IsClosed bool
  ClosedDate datetime
  IsEscalated bool
  OwnerId ref Group,User
  CreatedDate created
  CreatedById ref User
  LastModifiedDate datetime
  LastModifiedById ref User
  Severity__c int
  ~MasterRecordId ref Case
  ~IsDeleted bool
  ~SystemModstamp datetime
Order 801
  OwnerId ref Group,User
  ContractId ref Contract
  AccountId ref Account
  Pricebook2Id ref Pricebook2
  OriginalOrderId ref Order
  OpportunityId ref Opportunity
  QuoteId ref Quote
  EffectiveDate date
  EndDate date
  IsReductionOrder bool
  Status picklist
  Description longtext
  BillToContactId ref Contact
  ShipToContactId ref Contact
  ActivatedDate datetime
  ActivatedById ref User
  StatusCode static
  OrderNumber autonumber
  TotalAmount currency
  Type picklist
  BillingAddress address
  ShippingAddress address
  Name text
  PoDate date
  PoNumber text
  CreatedDate created
  CreatedById ref User
  LastModifiedDate datetime
  LastModifiedById ref User
  Delivery_Window__c time
  ~IsDeleted bool
  ~SystemModstamp datetime
Task 00T
  WhoId ref Contact,Lead
  WhatId ref Account,Case,Opportunity,Order,Invoice__c
  Subject text
  ActivityDate date
  Status picklist
  Priority picklist
  OwnerId ref Group,User
  Description longtext
  Type picklist
  IsClosed bool
  AccountId ref Account
  CreatedDate created
  CreatedById ref User
  LastModifiedDate datetime
  LastModifiedById ref User
  CallDurationInSeconds int
  CallType static
  CallDisposition text
  ReminderDateTime datetime
  IsReminderSet bool
  RecurrenceActivityId ref Task
  IsRecurrence bool
  CompletedDateTime datetime
  ~TaskSubtype picklist
  ~IsDeleted bool
  ~SystemModstamp datetime
Event 00U
  WhoId ref Contact,Lead
  WhatId ref Account,Case,Opportunity,Order,Invoice__c
  Subject text
  Location text
  IsAllDayEvent bool
  ActivityDateTime datetime
  ActivityDate date
  DurationInMinutes int
  Description longtext
  AccountId ref Account
  OwnerId ref User
  Type picklist
  IsPrivate bool
  ShowAs picklist
  IsChild bool
  IsGroupEvent bool
  GroupEventType static
  CreatedDate created
  CreatedById ref User
  LastModifiedDate datetime
  LastModifiedById ref User
  RecurrenceActivityId ref Event
  IsRecurrence bool
  ReminderDateTime datetime
  IsReminderSet bool
  ServiceAppointmentId ref ServiceAppointment
  ~IsDeleted bool
  ~SystemModstamp datetime
User 005
  Username text
  Name personname
  CompanyName text
  Division text
  Department text
  Title text
  Address address
  Email email
  Phone phone
  Fax phone
  MobilePhone phone
  Alias text
  IsActive bool
  TimeZoneSidKey static
  UserRoleId ref UserRole
  LocaleSidKey static
  ProfileId ref Profile
  UserType static
  LanguageLocaleKey static
  EmployeeNumber text
  ManagerId ref User
  CreatedDate created
  CreatedById ref User
  LastModifiedDate datetime
  LastModifiedById ref User
  ContactId ref Contact
  AccountId ref Account
  FederationIdentifier text
  ~SystemModstamp datetime
Product2 01t
  Name text
  ProductCode text
  Description longtext
  IsActive bool
  CreatedDate created
  CreatedById ref User
  LastModifiedDate datetime
  LastModifiedById ref User
  Family picklist
  StockKeepingUnit text
  QuantityUnitOfMeasure picklist
  Type picklist
  ~IsDeleted bool
  ~SystemModstamp datetime
Invoice__c a01
  OwnerId ref Group,User
  Name autonumber
  CreatedDate created
  CreatedById ref User
  LastModifiedDate datetime
  LastModifiedById ref User
  Account__c ref Account
  Order__c ref Order
  Amount__c currency
  Tax_Rate__c percent
  Status__c picklist
  Due_Date__c date
  Paid__c bool
  Paid_At__c datetime
  Notes__c longtext
  Delivery__c location
  ~IsDeleted bool
  ~SystemModstamp datetime
)";

}  // namespace

std::string_view Catalog::standard_table() { return kTable; }

}  // namespace headwater::org
