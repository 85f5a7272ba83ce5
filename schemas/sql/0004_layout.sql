-- Which columns of which tables have been here: what someone took away since must be told again, what is new need not be.
create table layout (
  relation text not null,
  attribute text not null,
  primary key (relation, attribute)
);
